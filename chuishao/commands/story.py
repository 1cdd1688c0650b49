"""`chuishao story`: plays the whole story against the running system, live."""

from pathlib import Path

from chuishao.target import DataDir, find, run


def story(data: DataDir = Path("data")) -> None:
    """演一遍：报事、没人接、往上走、办完、没解决、再办、解决 · plays the whole story, live."""
    from chuishao.story import play

    run(play(find(data)))
