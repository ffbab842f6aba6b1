"""Files to attach, honest and hostile, made from nothing."""

import io
import struct
import zipfile
import zlib
from typing import Any

import docx
from PIL import Image


def picture(form: str = "PNG", size: tuple[int, int] = (40, 20), mode: str = "RGB", **options: Any) -> bytes:
    """Red on its left half."""
    canvas = Image.new("RGB", size)
    canvas.paste((255, 0, 0), (0, 0, size[0] // 2, size[1]))
    content = io.BytesIO()
    canvas.convert(mode).save(content, form, **options)
    return content.getvalue()


def rotated_photo(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a secret place"
    return picture("JPEG", exif=exif)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def claiming_png(width: int, height: int, *extra: bytes) -> bytes:
    """A PNG of a few bytes that says it is that large."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def talkative_png() -> bytes:
    """Its comment unpacks to 300 MB."""
    pieces = zlib.compressobj()
    packed = b"".join(pieces.compress(bytes(10_000_000)) for _ in range(30)) + pieces.flush()
    return claiming_png(1, 1, chunk(b"zTXt", b"Comment\0\0" + packed))


def long_gif(frames: int) -> bytes:
    one = picture("GIF", (1, 1))
    start = 13 + 3 * 2 ** ((one[10] & 7) + 1)
    return one[:start] + one[start:-1] * frames + b";"


def pdf(*pages: str) -> bytes:
    """One line of text on each page."""
    streams = [f"BT /F1 12 Tf 72 720 Td ({words}) Tj ET".encode() for words in pages]
    return pdf_of_streams(*(b"<< /Length %d >> stream\n%b\nendstream" % (len(each), each) for each in streams))


def pdf_bomb() -> bytes:
    """A page whose content unpacks to 1 GB."""
    pieces = zlib.compressobj()
    packed = b"".join(pieces.compress(b" " * 10_000_000) for _ in range(100)) + pieces.flush()
    head = b"<< /Length %d /Filter /FlateDecode >>" % len(packed)
    return pdf_of_streams(head + b" stream\n" + packed + b"\nendstream")


def pdf_of_streams(*streams: bytes) -> bytes:
    count = len(streams)
    kids = b" ".join(b"%d 0 R" % (4 + 2 * index) for index in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%b] >>" % (count, kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, stream in enumerate(streams):
        resources = b"/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(b"<< /Type /Page /Parent 2 0 R %b /Contents %d 0 R >>" % (resources, 5 + 2 * index))
        objects.append(stream)
    content, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj %b endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(content))
    return bytes(content + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer)


def document() -> bytes:
    """A paragraph, a table of one row, a paragraph."""
    made = docx.Document()
    made.add_paragraph("First é")
    table = made.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    made.add_paragraph("Last")
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def document_with(body: bytes) -> bytes:
    """The same document with other XML in its main part."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(document())) as old,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.infolist():
            new.writestr(part.filename, body if part.filename == "word/document.xml" else old.read(part))
    return content.getvalue()


def document_that_lies() -> bytes:
    """Its main part says that it has 100 bytes, and unpacks to 60 MB."""
    size = 60_000_000
    return document_with(b" " * size).replace(struct.pack("<I", size), struct.pack("<I", 100))


def billion_laughs() -> bytes:
    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    text = f'<w:document xmlns:w="{space}"><w:body><w:p><w:r><w:t>&j;</w:t></w:r></w:p></w:body></w:document>'
    return document_with(f"<?xml version='1.0'?><!DOCTYPE x [{entities}]>{text}".encode())
