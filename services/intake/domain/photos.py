"""Which photos are taken, told by their first bytes and never by their name."""

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 50_000_000
EDGE = 2560
"""Pixels of the longer edge that are kept: enough to read a meter, a sixth of what a telephone sends."""

HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def format_of(data: bytes) -> str | None:
    """`JPEG`, `PNG`, `WEBP` or `HEIF`; None for everything else. Whether the rest is sound only decoding tells."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp" and data[8:12] in HEIC and b"avif" not in data[8:64]:
        return "HEIF"
    return None
