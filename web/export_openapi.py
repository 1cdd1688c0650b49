"""Writes the interfaces as the pages know them: `python web/export_openapi.py` into `web/openapi/`, `--check` compares.

TypeScript's types are made from these files, so that `npm` needs no Python, and a change of an interface that the
pages have not seen yet fails a check instead of a page.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chuishao.wiring import SERVICES
from shared.keys import Keys
from shared.runtime import build_app
from shared.service import Context
from shared.settings import Settings

FOLDER = Path(__file__).with_name("openapi")
USED = ("directory", "intake", "routing", "deliberation", "sandbox")
"""Services whose interfaces a page calls."""


def documents() -> dict[Path, str]:
    keys = Keys(bytes(32))
    found = {}
    for service in SERVICES:
        if service.name not in USED:
            continue
        # Only the routes are looked at: nothing is connected to.
        app = build_app(Context(service.name, None, keys, Settings()), service)  # type: ignore[arg-type]
        text = json.dumps(app.openapi(), ensure_ascii=False, indent=1, sort_keys=True)
        found[FOLDER / f"{service.name}.json"] = text + "\n"
    return found


def main() -> int:
    wanted = documents()
    if "--check" not in sys.argv[1:]:
        FOLDER.mkdir(exist_ok=True)
        for path, text in wanted.items():
            path.write_text(text)
        return 0
    stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if stale:
        print(f"web/openapi: {', '.join(stale)} 过时了，跑 make web-types · out of date, run make web-types")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
