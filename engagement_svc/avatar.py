"""A picture from outside becomes a small one of ours: checked by content, cut square, resized, without metadata."""

import io

from meshkit.errors import InvalidFields

MOST_BYTES = 2 * 1024 * 1024
# 100 MB decoded. A file of a few kB may claim a thousand times as much.
MOST_PIXELS = 25_000_000
# A progressive picture is decoded once a scan: 120 kB of 1,691 empty scans took 2.4 s, and 2 MiB would take a minute.
# Encoders write ten; a hundred, since the marker's two bytes come about by chance in what is appended to a picture.
MOST_SCANS = 100
_START_OF_SCAN = b"\xff\xda"
SIDE = 256
KIND = "image/webp"
_FORMATS = ("PNG", "JPEG", "WEBP")


def make_avatar(image: bytes) -> bytes:
    """WebP of SIDE × SIDE pixels, about 10 kB. Takes up to a second: not for the event loop. Raises InvalidFields."""
    from PIL import Image, ImageOps  # noqa: PLC0415  10 MB that only an update needs

    if not image:
        raise _refused("must not be empty")
    if len(image) > MOST_BYTES:
        raise _refused("must be at most 2 MiB")
    try:
        with Image.open(io.BytesIO(image), formats=_FORMATS) as opened:
            # Known from the header, before a pixel is decoded.
            if opened.width * opened.height > MOST_PIXELS:
                raise _refused(f"must have at most {MOST_PIXELS:,} pixels")
            if opened.format == "JPEG":
                if image.count(_START_OF_SCAN) > MOST_SCANS:
                    raise _refused(f"must have at most {MOST_SCANS} scans")
                opened.draft("RGB", (2 * SIDE, 2 * SIDE))
            opened.load()
            turned = ImageOps.exif_transpose(opened)
            small = ImageOps.fit(turned.convert("RGBA"), (SIDE, SIDE), Image.Resampling.LANCZOS)
    except InvalidFields:
        raise
    # What a hostile file makes Pillow raise is a long list: SyntaxError, struct.error, OverflowError, EOFError, …
    except Exception as error:
        raise _refused("must be a whole PNG, JPEG or WebP picture") from error
    held = io.BytesIO()
    # A picture made anew: of the old one's EXIF, comments and colour profile nothing is taken along.
    Image.frombytes("RGBA", small.size, small.tobytes()).save(held, "WEBP", quality=80, method=4)
    return held.getvalue()


def _refused(what: str) -> InvalidFields:
    return InvalidFields([("image", what)])
