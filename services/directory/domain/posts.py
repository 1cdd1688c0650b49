"""Which posts a grid can have, and how they are shown."""

from collections.abc import Iterable
from typing import Literal

PostKind = Literal["leader", "party", "desk", "secretary"]
GRIDS = ("large", "middle", "small", "micro")


def may_stand(kind: str, level: str) -> bool:
    """Whether a level has a post: leader and party up to large, a secretary above, a desk anywhere."""
    return kind == "desk" or (kind == "secretary") == (level not in GRIDS)


def shown_posts(level: str, held: Iterable[tuple[str, str]]) -> list[dict[str, str | None]]:
    """The posts of a grid with their persons' numbers; a usual one that nobody holds is null.

    `held` are pairs of kind and number; several may sit at a desk.
    """
    posts: list[dict[str, str | None]] = []
    holders = list(held)
    usual = ("leader", "party") if level in GRIDS else ("desk", "secretary")
    for kind in ("leader", "party", "desk", "secretary"):
        persons = [no for held_kind, no in holders if held_kind == kind]
        posts += [{"kind": kind, "person": no} for no in persons]
        if not persons and kind in usual:
            posts.append({"kind": kind, "person": None})
    return posts
