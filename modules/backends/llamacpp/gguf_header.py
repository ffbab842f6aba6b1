"""Reads a GGUF file's header: metadata, what the model is for, places of tensors; no weights.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

import contextlib
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from modules.engine.types import ModelKind
from modules.errors import LoadFailed

_MAGIC: Final = b"GGUF"
# Version 1 had other sizes of lengths, and no published file of it is left.
_VERSIONS: Final = (2, 3)
# Holds the header of most models, whose vocabulary is the largest part of it.
_FIRST_READ: Final = 16 * 2**20
_TRAITS_BYTES: Final = 64 * 2**10
_VOCABULARY: Final = "tokenizer."
# A damaged file may state any length.
_MAX_HEADER: Final = 256 * 2**20
# Far beyond real files; counts of a damaged one must not become loops.
_MAX_ENTRIES: Final = 1_000_000
_MAX_ITEMS: Final = 8_000_000
_MAX_DIMENSIONS: Final = 8
# Vocabularies and merges are skipped: nothing here needs them, and they are most of a header.
_KEPT_ITEMS: Final = 4096
_KEPT_BYTES: Final = 4096
TEMPLATE: Final = "tokenizer.chat_template"
_TEMPLATE_BYTES: Final = 2**20
_ALIGNMENT: Final = "general.alignment"
# GGUF specification: without general.alignment it is 32.
_DEFAULT_ALIGNMENT: Final = 32
_STRING, _ARRAY = 8, 9
_SCALARS: Final = MappingProxyType(
    {code: struct.Struct(f"<{letter}") for code, letter in zip((*range(8), *range(10, 13)), "BbHhIif?Qqd", strict=True)}
)
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_PART: Final = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)", re.IGNORECASE)

# Encoders: they read a text and write none.
_ENCODERS: Final = frozenset(
    "bert nomic-bert nomic-bert-moe jina-bert-v2 jina-bert-v3 modern-bert neo-bert eurobert gemma-embedding "
    "llama-embed".split()
)
_RANK: Final = 4  # llama.h, enum llama_pooling_type
# Mean, CLS and last of llama.h's enum llama_pooling_type.
_POOLINGS: Final = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Items:
    """An array that is too long to be kept, or one of texts: how many there are."""

    count: int


Scalar: TypeAlias = int | float | bool
Value: TypeAlias = Scalar | str | tuple[Scalar, ...] | Items


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """`tensors` maps names to bytes in the file, `shapes` to their dimensions, the fastest first. Of a model in several
    files it covers all of them."""

    metadata: Mapping[str, Value]
    tensors: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        found = self.metadata.get("general.architecture")
        return found if isinstance(found, str) else ""

    def number(self, key: str, default: int = 0) -> int:
        """A whole number under `key`, without the architecture in front of it; the largest of several."""
        return max(self.numbers(key) or (default,))

    def numbers(self, key: str) -> tuple[int, ...]:
        match self.metadata.get(f"{self.architecture}.{key}"):
            case int() | float() as value:
                return (int(value),)
            case tuple() as values:
                return tuple(int(value) for value in values)
            case _:
                return ()


def read_gguf(path: Path) -> GgufHeader:
    """Raises LoadFailed, in a sentence, when the file or one of its parts is missing, damaged or something else."""
    try:
        headers = [_read_file(part) for part in gguf_parts(path)]
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        raise LoadFailed(f"{missing} is missing; download the model again to get what is missing.") from error
    except OSError as error:
        raise LoadFailed(f"{path.name} cannot be read: {error.strerror}.") from error
    tensors = {name: size for header in headers for name, size in header.tensors.items()}
    shapes = {name: shape for header in headers for name, shape in header.shapes.items()}
    return GgufHeader(headers[0].metadata, MappingProxyType(tensors), MappingProxyType(shapes))


def read_traits(path: Path) -> Mapping[str, Value]:
    """What a file says about its model before the vocabulary begins. Raises LoadFailed."""
    try:
        with path.open("rb") as file:
            start = file.read(_TRAITS_BYTES)
        return _Parser(start, path.stat().st_size).traits()
    except (OSError, _Damaged, UnicodeDecodeError) as error:
        raise _damaged(path, str(error) or "it cannot be read") from error


def kind_of_gguf(path: Path) -> ModelKind:
    """CHAT for what cannot be read: whoever loads it is told why."""
    try:
        traits = read_traits(path)
    except LoadFailed:
        return ModelKind.CHAT
    architecture = traits.get("general.architecture")
    pooling = traits.get(f"{architecture}.pooling_type")
    if pooling == _RANK:
        return ModelKind.RERANK
    return ModelKind.EMBEDDING if pooling in _POOLINGS or architecture in _ENCODERS else ModelKind.CHAT


def gguf_parts(path: Path) -> list[Path]:
    """All files of the model whose first file, or only one, is at `path`."""
    match = _PART.search(path.name)
    if not match or int(match[1]) != 1 or not 1 <= int(match[2]) <= 999:
        return [path]
    return [path.with_name(_PART.sub(f"-{part:05}-of-{match[2]}", path.name)) for part in range(1, int(match[2]) + 1)]


class _Damaged(Exception):
    pass


class _TooShort(Exception):
    """More of the file has to be read."""


def _read_file(path: Path) -> GgufHeader:
    size = path.stat().st_size
    room = _FIRST_READ
    while True:
        with path.open("rb") as file:
            start = file.read(room)
        try:
            return _Parser(start, size).header()
        except _TooShort as error:
            if room >= min(size, _MAX_HEADER):
                raise _damaged(path, "it ends too early") from error
            room = min(room * 4, _MAX_HEADER)
        except (_Damaged, UnicodeDecodeError) as error:
            raise _damaged(path, str(error) or "it cannot be read") from error


def _damaged(path: Path, reason: str) -> LoadFailed:
    return LoadFailed(f"{path.name} is no usable GGUF file: {reason}. Check its size against the original.")


class _Parser:
    def __init__(self, content: bytes, file_size: int) -> None:
        self._content = content
        self._file_size = file_size
        self._at = 0
        self._shapes: dict[str, tuple[int, ...]] = {}

    def traits(self) -> Mapping[str, Value]:
        """As much as there is of the metadata, to the vocabulary."""
        found: dict[str, Value] = {}
        with contextlib.suppress(_TooShort):
            _, entry_count = self._counts()
            for _ in range(entry_count):
                key = self._string() or ""
                if key.startswith(_VOCABULARY):
                    break
                found[key] = self._value(self._u32())
        return MappingProxyType(found)

    def header(self) -> GgufHeader:
        tensor_count, entry_count = self._counts()
        metadata = dict(self._entry() for _ in range(entry_count))
        places = [self._tensor() for _ in range(tensor_count)]
        sizes = dict(self._sizes(places, metadata))
        return GgufHeader(MappingProxyType(metadata), MappingProxyType(sizes), MappingProxyType(self._shapes))

    def _counts(self) -> tuple[int, int]:
        """Of tensors and of entries."""
        if self._take(4) != _MAGIC:
            raise _Damaged("it does not begin as one")
        version = self._u32()
        if version not in _VERSIONS:
            raise _Damaged(f"its version {version} is not known" if version < 1 << 16 else "it is big-endian")
        return self._count(_MAX_ENTRIES), self._count(_MAX_ENTRIES)

    def _sizes(self, places: list[tuple[int, str]], metadata: Mapping[str, Value]) -> Iterator[tuple[str, int]]:
        """A tensor ends where the next one begins, and the last one where the file does."""
        stated = metadata.get(_ALIGNMENT)
        alignment = stated if isinstance(stated, int) and 0 < stated <= 1 << 20 else _DEFAULT_ALIGNMENT
        begin = -(-self._at // alignment) * alignment
        places.sort()
        ends = [*(offset for offset, _ in places[1:]), self._file_size - begin]
        for (offset, name), end in zip(places, ends, strict=False):
            if not 0 <= offset <= end <= self._file_size - begin:
                raise _Damaged("it is shorter than its tensors")
            yield name, end - offset

    def _entry(self) -> tuple[str, Value]:
        key, code = self._string() or "", self._u32()
        if key == TEMPLATE and code == _STRING:
            return key, self._string(_TEMPLATE_BYTES) or ""
        return key, self._value(code)

    def _value(self, code: int, depth: int = 0) -> Value:
        if code == _STRING:
            return self._string() or ""
        if code == _ARRAY:
            return self._array(depth)
        scalar = _SCALARS.get(code)
        if scalar is None:
            raise _Damaged("it has values of an unknown kind")
        return scalar.unpack(self._take(scalar.size))[0]  # type: ignore[no-any-return]

    def _array(self, depth: int) -> Value:
        code, count = self._u32(), self._count(_MAX_ITEMS)
        scalar = _SCALARS.get(code)
        if scalar is not None:
            content = self._take(count * scalar.size)
            return tuple(value for (value,) in scalar.iter_unpack(content)) if count <= _KEPT_ITEMS else Items(count)
        if depth > 1:
            raise _Damaged("its lists are nested too deep")
        if code == _STRING:
            self._skip_strings(count)
        else:
            for _ in range(count):
                self._value(code, depth + 1)
        return Items(count)

    def _skip_strings(self, count: int) -> None:
        """Vocabularies have hundreds of thousands of entries, so nothing is called for each of them."""
        content, at, end = self._content, self._at, len(self._content) - _U64.size
        for _ in range(count):
            if at > end:
                raise _TooShort
            at += _U64.size + _U64.unpack_from(content, at)[0]
        self._at = at

    def _tensor(self) -> tuple[int, str]:
        name = self._string() or ""
        dimensions = self._u32()
        if dimensions > _MAX_DIMENSIONS:
            raise _Damaged("a tensor has too many dimensions")
        self._shapes[name] = tuple(self._u64() for _ in range(dimensions))
        self._u32()
        return self._u64(), name

    def _string(self, most: int = _KEPT_BYTES) -> str | None:
        """None for one that is too long to be kept."""
        content = self._take(self._u64())
        return content.decode("utf-8", "replace") if len(content) <= most else None

    def _count(self, most: int) -> int:
        count = self._u64()
        if count > most:
            raise _Damaged("it states an impossible number of entries")
        return count

    def _u32(self) -> int:
        return int(_U32.unpack(self._take(_U32.size))[0])

    def _u64(self) -> int:
        return int(_U64.unpack(self._take(_U64.size))[0])

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > self._file_size:
            raise _Damaged("it ends too early")
        if end > len(self._content):
            raise _TooShort
        content, self._at = self._content[self._at : end], end
        return content
