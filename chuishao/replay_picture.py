"""Policy replay for people: as a table in the terminal, and as a picture (SVG)."""

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from rich.table import Table

from chuishao.words import level_name

Level = dict[str, Any]
HEADINGS = ("级", "到手", "按时率", "晚了", "没人动", "还在办", "记录之外", "平均在手")
PANELS = (("平均在手（件）", "load"), ("按时率", "share"), ("没人动（次）", "silent"))
INK, BEFORE, AFTER = "#222222", "#9aa5b1", "#1565c0"
ROW, BAR, LEFT, WIDTH, TOP = 34, 12, 64, 200, 64
GAP = 90


def table(found: dict[str, Any]) -> Table:
    """A row a level: before → after."""
    shown = Table(*HEADINGS, box=None)
    for before, after in _levels(found):
        shown.add_row(
            level_name(before["level"]),
            _both(before["stays"], after["stays"]),
            _both(_percent(before["share"]), _percent(after["share"])),
            *(_both(before[kind], after[kind]) for kind in ("late", "silent", "open", "unrecorded")),
            _both(f"{before['load']:.1f}", f"{after['load']:.1f}"),
        )
    return shown


def picture(found: dict[str, Any]) -> str:
    """Three panels of bars, a pair a level: what lay there, the share in time, silent timeouts."""
    levels = _levels(found)
    height = TOP + ROW * len(levels) + 20
    width = LEFT + len(PANELS) * (WIDTH + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' font-size="13" fill="{INK}" role="img"><title>{_title(found)}</title>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/><text x="8" y="20">{_title(found)}</text>',
        _legend(width),
    ]
    for n, (before, _) in enumerate(levels):
        parts.append(_text(8, TOP + ROW * n + 18, level_name(before["level"])))
    for n, (heading, name) in enumerate(PANELS):
        parts += _panel(LEFT + n * (WIDTH + GAP), heading, name, levels)
    return "\n".join([*parts, "</svg>\n"])


def _panel(x: int, heading: str, name: str, levels: Sequence[tuple[Level, Level]]) -> list[str]:
    most = 1.0 if name == "share" else max((side[name] for pair in levels for side in pair), default=0) or 1
    parts = [_text(x, TOP - 8, heading)]
    for n, pair in enumerate(levels):
        for m, (side, colour) in enumerate(zip(pair, (BEFORE, AFTER), strict=True)):
            value, y = side[name], TOP + ROW * n + (BAR + 2) * m + 2
            long = round(WIDTH * (value or 0) / most, 1)
            parts.append(f'<rect x="{x}" y="{y}" width="{long}" height="{BAR}" fill="{colour}"/>')
            parts.append(_text(x + long + 4, y + BAR - 2, _figure(name, value), size=11))
    return parts


def _levels(found: dict[str, Any]) -> list[tuple[Level, Level]]:
    """Those at which there was anything on either side."""
    pairs = zip(found["recorded"], found["replayed"], strict=True)
    return [pair for pair in pairs if pair[0]["stays"] or pair[1]["stays"]]


def _title(found: dict[str, Any]) -> str:
    since, until = (str(found[name])[:10] for name in ("from", "to"))
    return escape(f"{found['policy']} · {since} 到 {until} 的 {found['cases']} 件，走法不同的 {found['changed']} 件")


def _legend(width: int) -> str:
    return "".join(
        f'<rect x="{width - x}" y="10" width="12" height="12" fill="{colour}"/>{_text(width - x + 18, 20, said)}'
        for x, colour, said in ((150, BEFORE, "记录"), (80, AFTER, "试算"))
    )


def _text(x: float, y: float, said: str, size: int = 13) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}">{escape(said)}</text>'


def _figure(name: str, value: float | None) -> str:
    if name == "share":
        return _percent(value)
    return f"{value:.1f}" if name == "load" else f"{value}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _both(before: object, after: object) -> str:
    return f"{before} → {after}" if before != after else str(before)
