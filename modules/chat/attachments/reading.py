"""What is said between `attachments` and the process that reads a file."""

import msgspec


class FileQuestion(msgspec.Struct, frozen=True):
    """`reader` is "picture", "pdf", "docx" or "html"; `most` the characters of text that are taken."""

    reader: str
    most: int
    content: bytes


class FileAnswer(msgspec.Struct, frozen=True):
    """Text with the offsets at which its pages begin, a picture as `mime` and base64, or in `refused` the rest of a sentence that begins with the file's name."""

    text: str = ""
    mime: str = ""
    picture: str = ""
    refused: str = ""
    page_starts: tuple[int, ...] = ()
