"""Draws a photo anew, in a process of its own: decoders are C, the files are anybody's, and what kills one of these or
eats its memory must not be more than a photo that was refused. Nothing but this module is loaded there."""

import contextlib
import io
import resource
from typing import Literal

import pillow_heif
from PIL import Image

from services.intake.domain.photos import EDGE, MAX_PIXELS, format_of

Refusal = Literal["unreadable", "too-many-pixels"]
MEMORY = 1536 * 1024 * 1024
"""Bytes of address space; 50 megapixels are 200 MB a copy."""
QUALITY = 85
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# One format may hold another (a JPEG of several pictures is an MPO to Pillow).
READERS = {"JPEG": ("JPEG", "MPO"), "PNG": ("PNG",), "WEBP": ("WEBP",), "HEIF": ("HEIF",)}


def redraw(data: bytes) -> bytes | Refusal:
    """A JPEG of the first picture in `data`: upright, at most `EDGE` pixels long, and nothing but pixels (no EXIF, no
    comment, no profile, nothing before or after). Never raises."""
    _settle()
    try:
        with Image.open(io.BytesIO(data), formats=READERS[format_of(data) or ""]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return "too-many-pixels"
            turn = _turn(picture)
            picture.thumbnail((EDGE, EDGE), reducing_gap=2.0)  # decodes a large JPEG at a fraction of its size
            return _jpeg(picture, turn)
    except Exception:  # whatever a decoder says of a hostile file, MemoryError included
        return "unreadable"


def _settle() -> None:
    """Once in a process; what is too large is measured above, before anything is decoded."""
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = None
        pillow_heif.register_heif_opener(thumbnails=False)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """How to set it upright; a broken EXIF says nothing."""
    with contextlib.suppress(Exception):
        return UPRIGHT.get(picture.getexif().get(ORIENTATION, 1))
    return None


def _jpeg(picture: Image.Image, turn: Image.Transpose | None) -> bytes:
    drawn = Image.new("RGB", picture.size, "white")
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        drawn.paste(clear, mask=clear)
    else:
        drawn.paste(picture.convert("RGB"))
    out = io.BytesIO()
    (drawn.transpose(turn) if turn is not None else drawn).save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()
