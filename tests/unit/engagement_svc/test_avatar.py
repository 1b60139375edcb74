"""Pictures from outside: what is taken, what is refused, and what is left of it."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from engagement_svc.avatar import MOST_BYTES, MOST_SCANS, SIDE, make_avatar
from meshkit.errors import InvalidFields


def picture(kind: str, size: tuple[int, int] = (400, 300), **options: Any) -> bytes:
    held = io.BytesIO()
    made = Image.new("RGB", size, (200, 30, 30))
    made.paste((30, 30, 200), (0, 0, size[0] // 2, size[1]))
    made.save(held, kind, **options)
    return held.getvalue()


def colour_at(avatar: bytes, place: tuple[int, int]) -> Any:
    return opened(avatar).convert("RGB").getpixel(place)


def opened(avatar: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(avatar))
    found.load()
    return found


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(400, 300), (1, 1), (37, 4_000), (5_000, 5_000)])
def test_what_is_taken_becomes_a_small_square_webp(kind: str, size: tuple[int, int]) -> None:
    found = opened(make_avatar(picture(kind, size)))
    assert (found.format, found.size) == ("WEBP", (SIDE, SIDE))


def test_of_its_metadata_nothing_is_left() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x8825] = "a camera", {1: "N", 2: (52.0, 31.0, 12.0)}
    sent = picture("JPEG", exif=exif, comment=b"where I live", icc_profile=b"x" * 500)
    assert b"a camera" in sent
    made = make_avatar(sent)
    assert not any(part in made for part in (b"EXIF", b"ICCP", b"XMP", b"camera", b"live"))
    assert not opened(made).getexif()


def test_a_picture_taken_sideways_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90° clockwise: its left half is above
    red, _, blue = colour_at(make_avatar(picture("JPEG", (400, 400), exif=exif)), (128, 10))
    assert blue > red


def test_of_a_moving_one_the_first_picture_is_taken() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    held = io.BytesIO()
    frames[0].save(held, "WEBP", save_all=True, append_images=frames[1:], duration=100)
    red, _, blue = colour_at(make_avatar(held.getvalue()), (128, 128))
    assert red > blue


def png_of(width: int, height: int) -> bytes:
    """Says that it is so large; its data are a few zeros."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100_000)) + chunk(b"IEND", b"")


def scans_of(side: int, scans: int) -> bytes:
    """A progressive JPEG: one scan of flat blocks, then `scans` that say nothing of any block, 35 bytes each."""

    def segment(marker: int, body: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body

    blocks = ((side + 7) // 8) ** 2
    # Code 0 of DC is "no change"; of AC it is EOB14: 14 bits follow, which say how many blocks past 16,384 are empty.
    tables = segment(0xC4, b"\0\1" + b"\0" * 16) + segment(0xC4, b"\x10\1\1" + b"\0" * 14 + b"\xe0\0")
    skipped = "".join(f"0{least:014b}" for least in [16_383] * (blocks // 32_767)) + "0" * 15
    empty = segment(0xDA, b"\1\1\0\1\x3f\0") + packed(skipped)
    head = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC2, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0))
    first = segment(0xDA, b"\1\1\0\0\0\0") + packed("0" * blocks)
    return b"\xff\xd8" + head + tables + first + empty * scans + b"\xff\xd9"


def packed(bits: str) -> bytes:
    """Filled up with ones; 0xFF is followed by a zero, as in any JPEG."""
    filled = bits + "1" * (-len(bits) % 8)
    return int(filled, 2).to_bytes(len(filled) // 8, "big").replace(b"\xff", b"\xff\0")


def test_a_picture_in_many_scans_is_taken_up_to_a_bound() -> None:
    assert opened(make_avatar(scans_of(640, MOST_SCANS - 1))).size == (SIDE, SIDE)
    assert opened(make_avatar(picture("JPEG", progressive=True))).size == (SIDE, SIDE)


def test_what_is_appended_to_a_picture_makes_no_scans_of_a_png() -> None:
    assert opened(make_avatar(picture("PNG") + b"\xff\xda" * 1_000)).size == (SIDE, SIDE)


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"\xff" * 64,
        b"GIF89a" + b"\0" * 64,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        picture("PNG")[:200],
        picture("JPEG")[:300],
        picture("WEBP")[:60],
        picture("GIF"),
        picture("TIFF"),
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
        png_of(60_000, 60_000),
        png_of(2**31 - 1, 2**31 - 1),
        png_of(0, 10),
        scans_of(5_000, MOST_SCANS),
        b"\x89PNG" + b"x" * MOST_BYTES,
    ],
    ids=lambda image: f"{image[:12]!r}-{len(image)}",
)
def test_what_is_no_picture_or_a_bomb_is_refused_by_its_field(image: bytes) -> None:
    with pytest.raises(InvalidFields) as raised:
        make_avatar(image)
    assert [field for field, _ in raised.value.violations] == ["image"]
