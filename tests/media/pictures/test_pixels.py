"""Pictures of all kinds become the same upright RGB pixels; what is no picture is refused in our words."""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image, ImageCms
from pillow_heif import register_heif_opener

from modules.engine.types import Media
from modules.errors import BadRequest
from modules.media.pictures.limits import MOST_PIXELS
from modules.media.pictures.reader import PictureReader, picture_digest
from tests.chat.attachment_files import claiming_png, long_gif, talkative_png
from tests.processes import child_processes

RED, BLUE = (220, 30, 20), (20, 40, 200)


def two_halves(size: tuple[int, int] = (64, 32), mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    canvas = Image.new("RGB", size, BLUE)
    canvas.paste(RED, (0, 0, size[0] // 2, size[1]))
    return canvas.convert(mode)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    register_heif_opener()
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def turned(form: str, orientation: int) -> bytes:
    """Stored so that it stands upright once it has been turned as `orientation` says."""
    ways = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(two_halves().transpose(ways[orientation]), form, exif=exif)


def with_hidden_green() -> bytes:
    """Green where nothing is to be seen."""
    image = Image.new("RGBA", (64, 32), (0, 255, 0, 0))
    image.paste(two_halves((64, 16)), (0, 0))
    return encoded(image, "PNG")


def far(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def colour(media: Media, x: int, y: int) -> tuple[int, ...]:
    at = (y * media.width + x) * 3
    return tuple(media.data[at : at + 3])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader() -> AsyncIterator[PictureReader]:
    reader = PictureReader()
    yield reader
    await reader.aclose()


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    "content",
    [
        encoded(two_halves(), "PNG"),
        encoded(two_halves(), "JPEG", quality=95),
        encoded(two_halves(mode="CMYK"), "JPEG", quality=95),
        encoded(two_halves(), "WEBP", lossless=True),
        encoded(two_halves(), "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 32))]),
        encoded(two_halves(), "GIF", save_all=True, append_images=[Image.new("RGB", (64, 32))]),
        encoded(two_halves(), "BMP"),
        encoded(two_halves(), "TIFF"),
        encoded(two_halves(), "HEIF", quality=95),
        encoded(two_halves(), "AVIF", quality=95),
        encoded(two_halves(mode="P"), "PNG"),
        encoded(two_halves(mode="RGBA"), "PNG"),
        encoded(two_halves(), "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        encoded(two_halves(), "PNG", icc_profile=b"no profile"),
        *(turned(form, orientation) for form in ("JPEG", "PNG", "WEBP") for orientation in (3, 6, 8)),
    ],
    ids=range(23),
)
async def test_the_same_picture_of_any_kind_has_the_same_pixels(reader: PictureReader, content: bytes) -> None:
    media = await reader.picture(content, param="it")
    assert (media.width, media.height, len(media.data)) == (64, 32, 64 * 32 * 3)
    assert far(colour(media, 10, 16), RED) < 50
    assert far(colour(media, 50, 16), BLUE) < 50
    assert media.digest == picture_digest(64, 32, media.data)
    assert await reader.size(content, param="it") == (64, 32)


async def test_what_is_transparent_is_white(reader: PictureReader) -> None:
    media = await reader.picture(with_hidden_green(), param="it")
    assert colour(media, 10, 8) == RED
    assert colour(media, 10, 24) == (255, 255, 255)
    shade = await reader.picture(encoded(Image.new("LA", (4, 4), (0, 0)), "PNG"), param="it")
    assert colour(shade, 1, 1) == (255, 255, 255)


@pytest.mark.parametrize(
    ("image", "form", "shade"),
    [
        (Image.new("L", (4, 4), 90), "PNG", 90),
        (Image.new("1", (4, 4), 1), "PNG", 255),
        (Image.new("I;16", (4, 4), 0x8000), "PNG", 0x80),
        (Image.new("I", (4, 4), 0x4000), "TIFF", 0x40),
        (Image.new("F", (4, 4), 0.5), "TIFF", 127),
        (Image.new("F", (4, 4), 200.0), "TIFF", 200),
    ],
)
async def test_shades_of_any_depth_are_scaled(reader: PictureReader, image: Image.Image, form: str, shade: int) -> None:
    media = await reader.picture(encoded(image, form), param="it")
    assert far(colour(media, 1, 1), (shade,) * 3) <= 1


async def test_a_profile_is_converted_to_srgb(reader: PictureReader) -> None:
    lab = ImageCms.createProfile("LAB")
    image = Image.new("LAB", (4, 4), (137, 208, 195))
    content = encoded(image, "TIFF", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    media = await reader.picture(content, param="it")
    red, green, blue = colour(media, 1, 1)
    assert red > 180
    assert max(green, blue) < 80


async def test_large_pictures_are_made_smaller_and_low_detail_smaller_yet(reader: PictureReader) -> None:
    content = encoded(two_halves((4000, 3000)), "JPEG")
    media = await reader.picture(content, param="it")
    assert media.width * media.height <= MOST_PIXELS * 1.001
    assert abs(media.width / media.height - 4 / 3) < 0.01
    small = await reader.picture(content, longest=512, param="it")
    assert (small.width, small.height) == (512, 384)
    assert await reader.size(content, longest=512, param="it") == (512, 384)
    tiny = await reader.picture(encoded(two_halves((2, 1)), "PNG"), longest=512, param="it")
    assert (tiny.width, tiny.height) == (2, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (claiming_png(50_000, 50_000), "50000 × 50000 pixels; 64 million"),
        (claiming_png(8_000, 8_001), "64 million"),
        (encoded(Image.new("RGB", (1, 8000)), "PNG"), "50 times"),
        (encoded(two_halves((400, 300)), "JPEG")[:900], "broken"),
        (encoded(two_halves((400, 300)), "PNG")[:200], "broken"),
        (claiming_png(100, 100), "broken"),
        (talkative_png(), "broken"),
        (b"GIF89a\1\0\1\0\0\0\0;", "broken"),
        (b"\0" * 100, "Accepted are PNG"),
        (b"GIF", "Accepted are PNG"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"  <svg/>", "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"<!doctype html><title>A cat</title>", "web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "Accepted are PNG"),
    ],
    ids=range(15),
)
async def test_what_cannot_be_decoded_is_refused_in_our_words(
    reader: PictureReader, content: bytes, reason: str
) -> None:
    with pytest.raises(BadRequest, match=reason) as refused:
        await reader.picture(content, param="messages[0].content[1].image_url")
    assert refused.value.code == "invalid_image"
    assert refused.value.param == "messages[0].content[1].image_url"
    assert "0x" not in refused.value.message
    assert (await reader.picture(encoded(two_halves(), "PNG"), param="it")).width == 64


async def test_only_the_first_of_a_hundred_thousand_frames_is_decoded(reader: PictureReader) -> None:
    assert (await reader.picture(long_gif(100_000), param="it")).width == 1


async def test_a_picture_is_decoded_once(reader: PictureReader) -> None:
    content = encoded(two_halves(), "PNG")
    assert await reader.picture(content, param="it") is await reader.picture(bytes(content), param="other")


async def test_pictures_that_differ_in_one_pixel_differ_in_their_digests(reader: PictureReader) -> None:
    one, other = two_halves(), two_halves()
    other.putpixel((3, 3), (220, 30, 21))
    digests = {(await reader.picture(encoded(each, "PNG"), param="it")).digest for each in (one, other)}
    assert len(digests) == 2


async def test_one_that_takes_too_long_ends_the_process_and_the_next_has_another() -> None:
    reader = PictureReader(seconds=0.0)
    with pytest.raises(BadRequest, match="takes longer"):
        await reader.picture(encoded(two_halves(), "PNG"), param="it")
    assert reader._client is not None
    assert not reader._client.is_alive
    reader._seconds = 10.0
    assert (await reader.picture(encoded(two_halves(), "PNG"), param="it")).width == 64
    await reader.aclose()


async def test_it_keeps_one_process_and_none_when_idle() -> None:
    others = child_processes()
    reader = PictureReader()
    await reader.picture(encoded(two_halves(), "PNG"), param="it")
    children = child_processes() - others
    await reader.picture(encoded(two_halves((8, 8)), "PNG"), param="it")
    assert child_processes() - others == children
    assert len(children) == 1
    reader.end_idle()
    assert not reader.is_warm
    await reader.aclose()
    assert not child_processes() & children
