"""Fail on a link in a Markdown file of this repository that leads nowhere. Needs no network."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#+\s+(.*?)\s*#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def documents() -> list[Path]:
    """All Markdown files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    return [ROOT / name for name in names if name and (ROOT / name).exists()]


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    found: set[str] = set()
    counts: dict[str, int] = {}
    for heading in HEADING.findall(re.sub(r"^(```|~~~).*?^\1", "", document.read_text(), flags=re.M | re.S)):
        words = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = counts[words] = counts.get(words, -1) + 1
        found.add(f"{words}-{number}" if number else words)
    return found


def broken(document: Path) -> Iterator[str]:
    """The targets in `document` that do not exist."""
    for match in LINK.finditer(CODE.sub("", document.read_text())):
        target = match[1] or match[2]
        if ELSEWHERE.match(target):
            continue
        name, _, anchor = unquote(target).partition("#")
        base = ROOT if name.startswith("/") else document.parent
        file = base / name.lstrip("/") if name else document
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            yield target


def main() -> None:
    """The command line: one line per broken link, exit code 1 if there is any."""
    found = [f"{file.relative_to(ROOT)}: {target}" for file in documents() for target in broken(file)]
    print("\n".join(found) or f"{len(documents())} documents, no broken link")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
