"""Writes GGUF headers by hand: right ones, and wrong ones in every way."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

UINT32, FLOAT32, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9
Tensors = Mapping[str, int]


def text(value: str) -> bytes:
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def entry(key: str, value: object) -> bytes:
    return text(key) + _typed(value)


def _typed(value: object) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", BOOL, value)
        case int():
            return struct.pack("<II", UINT32, value)
        case float():
            return struct.pack("<If", FLOAT32, value)
        case str():
            return struct.pack("<I", STRING) + text(value)
        case list():
            items = [_typed(item) for item in value] or [_typed(0)]
            return (
                struct.pack("<I", ARRAY)
                + items[0][:4]
                + struct.pack("<Q", len(value))
                + b"".join(item[4:] for item in items[: len(value)])
            )
        case bytes():
            return value
        case _:
            raise TypeError(value)


def header(metadata: Mapping[str, object], tensors: Sequence[tuple[str, int]] = (), *, version: int = 3) -> bytes:
    """`tensors` are names with offsets."""
    entries = b"".join(entry(key, value) for key, value in metadata.items())
    places = b"".join(text(name) + struct.pack("<IQIQ", 1, 32, 0, offset) for name, offset in tensors)
    content = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata)) + entries + places
    return content + bytes(-len(content) % 32)


def write_gguf(path: Path, metadata: Mapping[str, object], tensors: Tensors) -> Path:
    """A file with tensors of so many bytes, multiples of 32, all zero."""
    places, offset = [], 0
    for name, size in tensors.items():
        places.append((name, offset))
        offset += size
    content = header(metadata, places)
    with path.open("wb") as file:
        file.write(content)
        file.truncate(len(content) + offset)
    return path
