"""Photos for tests: good ones, and files that want to do harm. All are made here, none is a picture of anybody."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator

import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()
PLANTED = b"PLANTED-41.0300N"
"""Stands for what EXIF gives away; must be in nothing that is shown."""
SIZES = {"tiny": (1, 1), "small": (64, 48), "wide": (300, 10)}


def picture(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """The left half red, the right half blue: one sees which way up it is."""
    drawn = Image.new("RGB", (width, height), "blue")
    drawn.paste("red", (0, 0, width // 2, height))
    return drawn.convert(mode)


def exif(orientation: int = 1) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = PLANTED.decode()
    tags.get_ifd(0x8825).update({1: "N", 2: (41.0, 1.0, 48.0), 29: PLANTED.decode()})
    return tags.tobytes()


def encoded(kind: str = "JPEG", drawn: Image.Image | None = None, **more: object) -> bytes:
    out = io.BytesIO()
    (drawn or picture()).save(out, kind, **more)
    return out.getvalue()


def good() -> dict[str, bytes]:
    """Photos as telephones send them, each with something in it that must not be shown."""
    return {
        "jpeg": encoded(exif=exif(), comment=PLANTED),
        "jpeg turned": encoded(exif=exif(6)),
        "jpeg progressive": encoded(progressive=True, exif=exif()),
        "jpeg grey": encoded(drawn=picture(mode="L"), exif=exif()),
        "jpeg cmyk": encoded(drawn=picture(mode="CMYK"), exif=exif()),
        "jpeg of two": encoded("MPO", save_all=True, append_images=[picture()], exif=exif()),
        "png": encoded("PNG", exif=exif()),
        "png clear": encoded("PNG", picture(mode="RGBA"), exif=exif()),
        "png palette": encoded("PNG", picture(mode="P"), exif=exif()),
        "png one bit": encoded("PNG", picture(mode="1"), exif=exif()),
        "png sixteen bit": encoded("PNG", picture(mode="I;16"), exif=exif()),
        "webp": encoded("WEBP", exif=exif()),
        "webp moving": encoded("WEBP", save_all=True, append_images=[picture()] * 3, exif=exif()),
        "png moving": encoded("PNG", save_all=True, append_images=[picture(mode="L").convert("RGB")] * 3, exif=exif()),
        "heic": encoded("HEIF", exif=exif()),
        "jpeg with a page behind it": encoded(exif=exif()) + b"<script>alert(1)</script>" + PLANTED,
        "jpeg that is an archive too": encoded(exif=exif()) + archive(),
        "jpeg with broken exif": encoded(exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + PLANTED),
        "jpeg with endless exif": encoded(exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + PLANTED * 100),
        "jpeg that says upside down nine": encoded(exif=exif(9)),
        "tiny": encoded(drawn=picture(1, 1)),
        "long": encoded(drawn=picture(6000, 8)),
    }


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.html", b"<html>" + PLANTED)
        made.writestr("zeros", bytes(1_000_000))
    return out.getvalue()


def png(width: int, height: int, data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG of any claimed size, with any pixels' bytes and further chunks."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *more, (b"IDAT", data), (b"IEND", b"")]
    body = (struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def claiming(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    start = jpeg.index(b"\xff\xc0")
    return jpeg[: start + 5] + struct.pack(">HH", height, width) + jpeg[start + 9 :]


def no_photos() -> dict[str, bytes]:
    """What is none of the four kinds, whatever it is called."""
    return {
        "empty": b"",
        "one byte": b"\xff",
        "words": "这不是照片".encode(),
        "gif": encoded("GIF"),
        "gif moving": encoded("GIF", save_all=True, append_images=[picture()] * 2),
        "bmp": encoded("BMP"),
        "tiff": encoded("TIFF"),
        "ico": encoded("ICO"),
        "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(100),
        "avif among heic": b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + bytes(100),
        "mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(100),
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "svg with an entity": b'<!DOCTYPE s [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><svg>&c;</svg>',
        "html": b"<!doctype html><script>alert(1)</script>",
        "html behind gif": b"GIF89a/*<script>alert(1)</script>*/",
        "pdf": b"%PDF-1.7\n" + bytes(100),
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n" + b"(x) run\n" * 9,
        "zip": archive(),
        "gzip": zlib.compress(bytes(10_000_000)),
        "elf": b"\x7fELF" + bytes(100),
        "shell": b"#!/bin/sh\nrm -rf /\n",
        "psd": b"8BPS\0\x01" + bytes(100),
        "jpeg behind a space": b" " + encoded(),
        "riff of sound": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        "zeros": bytes(5000),
        "random": random.Random(1).randbytes(5000),
    }


def hostile() -> Iterator[tuple[str, bytes]]:
    """Files that pass for one of the four kinds at first sight and want to break what opens them."""
    plain = {"jpeg": encoded(), "png": encoded("PNG"), "webp": encoded("WEBP"), "heic": encoded("HEIF")}
    for kind, data in plain.items():
        for part in (4, 12, 13, 20, 40, len(data) // 4, len(data) // 2, len(data) * 3 // 4, len(data) - 3):
            yield f"{kind} cut at {part}", data[:part]
        rng = random.Random(kind)
        for turn in range(30):
            broken = bytearray(data)
            for _ in range(rng.choice((1, 3, 10, 40))):
                broken[rng.randrange(12, len(broken))] = rng.randrange(256)
            yield f"{kind} fuzzed {turn}", bytes(broken)
        yield f"{kind} and nothing behind", data[:12] + bytes(3000)
        yield f"{kind} and noise behind", data[:12] + rng.randbytes(3000)
        yield f"{kind} twice", data + data
    zeros = zlib.compress(bytes(60_000_000), 9)
    yield "png of few bytes and many pixels", png(30_000, 30_000, zeros)
    yield "png at the format's limit", png(2**31 - 1, 2**31 - 1, zeros)
    yield "png of no width", png(0, 10, zeros)
    yield "png with more than its pixels", png(8, 8, zeros)
    yield "png with a bomb of words", png(8, 8, zlib.compress(bytes(200)), (b"zTXt", b"a\0\0" + zeros))
    yield "png with a bomb of a profile", png(8, 8, zlib.compress(bytes(200)), (b"iCCP", b"a\0\0" + zeros))
    yield "png with bombs of words", png(8, 8, zlib.compress(bytes(200)), *[(b"zTXt", b"a\0\0" + zeros)] * 60)
    yield "png with many chunks", png(8, 8, zlib.compress(bytes(200)), *[(b"tEXt", b"a\0b")] * 50_000)
    yield "jpeg claiming the most", claiming(plain["jpeg"], 65_500, 65_500)
    yield "jpeg claiming much", claiming(plain["jpeg"], 7000, 7000)
    yield "jpeg of scans without end", encoded(progressive=True) + b"\xff\xda\0\x0c\x03\1\0\2\x11\3\x11\0?\0" * 50_000
    yield "jpeg of markers only", b"\xff\xd8" + b"\xff\xe1\xff\xff" * 2000
    yield "webp claiming the most", plain["webp"][:24] + b"\xff\x3f\xff\x3f" + plain["webp"][28:]
    yield "heic of boxes in boxes", plain["heic"][:24] + b"\0\0\0\x10meta\0\0\0\0" * 5000
    yield "heic with an endless box", plain["heic"][:24] + b"\0\0\0\1meta\xff\xff\xff\xff\xff\xff\xff\xff"
    yield "51 megapixels, well made", encoded(drawn=Image.new("L", (8500, 6000)), quality=30)
