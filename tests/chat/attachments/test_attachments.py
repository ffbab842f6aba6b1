"""What becomes of attached files, of honest ones and of those that mean harm."""

import asyncio
import base64
import io
import zipfile
from contextlib import suppress
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter

from modules.chat.attachments.attachments import MAX_FILE_BYTES, MAX_TEXT, read_attachment
from modules.errors import BadRequest
from modules.library.chats.history import Attachment
from tests.chat.attachment_files import (
    billion_laughs,
    claiming_png,
    document,
    document_that_lies,
    document_with,
    long_gif,
    pdf,
    pdf_bomb,
    picture,
    rotated_photo,
    talkative_png,
)
from tests.effort import async_effort_ratio
from tests.processes import child_processes


def shown(attachment: Attachment) -> tuple[str, Image.Image]:
    header, _, data = attachment.image_data.partition(";base64,")
    return header, Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


async def refusal(name: str, content: bytes) -> str:
    with pytest.raises(BadRequest) as refused:
        await read_attachment(name, content)
    assert refused.value.param == "attachments"
    return refused.value.message


async def reading_effort(name: str, content: bytes) -> float:
    """In multiples of what a small picture takes."""

    async def read() -> None:
        with suppress(BadRequest):
            await read_attachment(name, content)

    return await async_effort_ratio(read, lambda: read_attachment("a.png", picture()), times=1)


async def test_text_is_taken_as_it_is() -> None:
    content = "\ufeffdef f():\r\n    return 'é🌍'\r\n"
    attachment = await read_attachment("code.py", content.encode())
    assert attachment == Attachment(name="code.py", type="text/plain", content="def f():\n    return 'é🌍'\n")


@pytest.mark.parametrize(
    ("form", "mode", "kept"),
    [
        ("PNG", "RGB", "png"),
        ("PNG", "RGBA", "png"),
        ("PNG", "L", "png"),
        ("PNG", "1", "png"),
        ("JPEG", "RGB", "jpeg"),
        ("JPEG", "CMYK", "jpeg"),
        ("WEBP", "RGBA", "png"),
        ("GIF", "P", "png"),
    ],
)
async def test_pictures_become_png_or_jpeg(form: str, mode: str, kept: str) -> None:
    attachment = await read_attachment(f"a.{form.lower()}", picture(form, mode=mode))
    header, image = shown(attachment)
    assert (attachment.type, attachment.content, header) == ("image", "", f"data:image/{kept}")
    assert (image.size, image.format) == ((40, 20), kept.upper())
    assert attachment.image_id


async def test_a_large_picture_is_made_smaller() -> None:
    for form in ("PNG", "JPEG"):
        _, image = shown(await read_attachment("a", picture(form, (4000, 1000))))
        assert image.size == (1536, 384)


@pytest.mark.parametrize(("orientation", "size", "red"), [(1, (40, 20), (5, 10)), (6, (20, 40), (10, 5))])
async def test_photos_are_turned_upright_and_tell_no_places(
    orientation: int, size: tuple[int, int], red: tuple[int, int]
) -> None:
    attachment = await read_attachment("photo.jpg", rotated_photo(orientation))
    _, image = shown(attachment)
    assert image.size == size
    pixel: Any = image.getpixel(red)
    assert pixel[0] > 200
    assert len(image.getexif()) == 0
    assert b"secret" not in base64.b64decode(attachment.image_data.partition(",")[2])


async def test_transparency_is_kept() -> None:
    content = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(content, "WEBP", lossless=True)
    _, image = shown(await read_attachment("a.webp", content.getvalue()))
    pixel: Any = image.getpixel((0, 0))
    assert pixel[3] == 0


async def test_only_the_first_frame_of_a_long_gif_counts() -> None:
    long = long_gif(100_000)
    _, image = shown(await read_attachment("a.gif", long))
    assert image.size == (1, 1)
    assert await reading_effort("a.gif", long) < 10


async def test_pages_of_a_pdf() -> None:
    attachment = await read_attachment("a.pdf", pdf("First page", "Second page"))
    assert (attachment.type, attachment.content) == ("application/pdf", "First page\n\nSecond page")
    assert (await read_attachment("a.pdf", b"\njunk\n" + pdf("Words"))).content == "Words"


async def test_paragraphs_and_tables_of_a_document() -> None:
    attachment = await read_attachment("a.docx", document())
    assert (attachment.type, attachment.content) == ("application/docx", "First é\nleft | right\nLast")


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.txt", picture(), "image"),
        ("a.png", picture("JPEG"), "image"),
        ("a", pdf("Words"), "application/pdf"),
        ("a.bin", document(), "application/docx"),
        ("a.py", b"PDF = '%PDF-'", "text/plain"),
        ("README", b"words", "text/plain"),
    ],
)
async def test_what_is_inside_counts(name: str, content: bytes, kind: str) -> None:
    assert (await read_attachment(name, content)).type == kind


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.png", b"words", "is no picture"),
        ("a.PDF", b"words", "is no PDF document"),
        ("a.docx", b"words", "is no DOCX document"),
        ("a.exe", b"MZ\x90\0\xff", "Accepted are PNG"),
        ("a.txt", "wörter".encode("utf-16"), "Accepted are PNG"),
        ("a.txt", "wörter".encode("latin-1"), "Accepted are PNG"),
        ("a.txt", b"a\0b", "Accepted are PNG"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n", "holds no text"),
        ("a.svg", b"", "is empty"),
        ("a.txt", b"x" * (MAX_TEXT + 1), "more than 400000 characters"),
        ("a.txt", b"x" * (MAX_FILE_BYTES + 1), "larger than 32 MiB"),
        ("a.pdf", pdf(""), "holds no text"),
        ("a.pdf", pdf(*["word " * 20_000] * 5), "more than 400000 characters"),
        ("a.docx", document_with(b"words"), "is broken"),
    ],
)
async def test_what_cannot_be_used_is_refused(name: str, content: bytes, complaint: str) -> None:
    assert complaint in await refusal(name, content)


@pytest.mark.parametrize(
    "content",
    [
        picture()[:-30],
        picture("JPEG")[:200],
        picture("WEBP")[:30],
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff" * 1000,
        b"GIF89a\xff\xff\xff\xff",
        claiming_png(100, 100),
        pdf("Words")[:40],
        b"%PDF-1.7\n" + b"[" * 200_000,
        document()[:2000],
        b"PK\x03\x04" + b"\0" * 100,
    ],
    ids=range(11),
)
async def test_broken_files_are_refused(content: bytes) -> None:
    assert "broken" in await refusal("file", content)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: claiming_png(50_000, 50_000), "pixels"),
        (lambda: claiming_png(10_000, 10_000), "10000 × 10000 pixels"),
        (lambda: claiming_png(2**31 - 1, 1), "pixels"),
        (talkative_png, "broken"),
        (lambda: document_with(b" " * 60_000_000), "unpacks to more"),
        (document_that_lies, "broken"),
        (lambda: document_with(b"<a>" * 5_000_000), "broken"),
        (pdf_bomb, ""),
    ],
    ids=["huge", "large", "wide", "comment", "zip", "lying zip", "deep", "pdf"],
)
async def test_bombs_are_refused_with_little_effort(make: Any, complaint: str) -> None:
    content = await asyncio.to_thread(make)
    assert complaint in await refusal("file", content)
    assert await reading_effort("file", content) < 20


async def test_entities_of_a_document_are_not_unfolded() -> None:
    assert "broken" in await refusal("a.docx", billion_laughs())
    assert await reading_effort("a.docx", billion_laughs()) < 10


async def test_a_zip_that_is_no_document() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../../evil.txt", "x")
    assert "no DOCX document" in await refusal("a.docx", content.getvalue())


async def test_a_document_with_a_password() -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("Words"))))
    writer.encrypt("secret", algorithm="RC4-128")
    content = io.BytesIO()
    writer.write(content)
    assert "protected by a password" in await refusal("a.pdf", content.getvalue())


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\notes.txt", "notes.txt"),
        ("a\nb\x1b[31m.txt", "ab[31m.txt"),
        ("", "file"),
        ("/", "file"),
        ("x" * 5000 + ".txt", "x" * 196 + ".txt"),
        ("x." + "y" * 5000, "y" * 200),
    ],
)
async def test_names_are_names_only(name: str, kept: str) -> None:
    assert (await read_attachment(name, b"words")).name == kept


async def test_many_at_once_and_one_given_up_leave_no_process() -> None:
    before = child_processes()
    kept = await asyncio.gather(*(read_attachment("a.png", picture()) for _ in range(4)))
    assert all(attachment.is_image for attachment in kept)
    given_up = asyncio.create_task(read_attachment("a.png", picture(size=(3000, 3000))))
    await asyncio.wait([given_up], timeout=0.1)
    given_up.cancel()
    await asyncio.wait([given_up])
    assert child_processes() <= before
