"""What is read of a GGUF file, and what becomes of a bad one."""

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from gguf import GGUFReader
from hypothesis import given
from hypothesis import strategies as st

from modules.backends.llamacpp.gguf_header import Items, gguf_parts, read_gguf
from modules.errors import LoadFailed
from tests.gguf_file import ARRAY, STRING, entry, header, text, write_gguf
from tests.model_files import SMOLLM2

MODEL = {
    "general.architecture": "test",
    "test.block_count": 2,
    "test.heads": [3, 1],
    "test.scale": 0.5,
    "test.pattern": [True, False],
    "tokenizer.ggml.tokens": ["a", "b", "c"],
    "tokenizer.chat_template": "x" * 10_000,
    "general.description": "y" * 10_000,
}


def bad(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(LoadFailed) as caught:
        read_gguf(path)
    assert str(path.parent) not in caught.value.message
    return caught.value.message


def test_metadata_and_tensors(tmp_path: Path) -> None:
    found = read_gguf(write_gguf(tmp_path / "m.gguf", MODEL, {"a": 64, "b": 320}))
    assert found.architecture == "test"
    assert (found.number("block_count"), found.number("heads"), found.number("none", 7)) == (2, 3, 7)
    assert (found.numbers("heads"), found.numbers("pattern"), found.numbers("none")) == ((3, 1), (1, 0), ())
    assert found.metadata["tokenizer.ggml.tokens"] == Items(3)
    # Of long texts only the template is needed: it says what a model can do.
    assert found.metadata["tokenizer.chat_template"] == "x" * 10_000
    assert found.metadata["general.description"] == ""
    assert dict(found.tensors) == {"a": 64, "b": 320}


@pytest.mark.model
def test_the_same_as_the_reference_reader_says(model_file: Callable[[str], Path]) -> None:
    path = model_file(SMOLLM2)
    ours, reference = read_gguf(path), GGUFReader(path)
    assert ours.architecture == reference.fields["general.architecture"].contents()
    assert set(ours.metadata) == {key for key in reference.fields if not key.startswith("GGUF.")}
    assert set(ours.tensors) == {tensor.name for tensor in reference.tensors}
    for tensor in reference.tensors:
        assert 0 <= ours.tensors[tensor.name] - tensor.n_bytes < 32


def test_all_parts_are_read(tmp_path: Path) -> None:
    first = write_gguf(tmp_path / "m-00001-of-00002.gguf", MODEL, {"a": 64})
    with pytest.raises(LoadFailed, match=r"m-00002-of-00002\.gguf is missing"):
        read_gguf(first)
    write_gguf(tmp_path / "m-00002-of-00002.gguf", {"split.no": 1}, {"b": 96})
    assert dict(read_gguf(first).tensors) == {"a": 64, "b": 96}
    assert gguf_parts(tmp_path / "m-00002-of-00002.gguf") == [tmp_path / "m-00002-of-00002.gguf"]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match=r"m\.gguf is missing"):
        read_gguf(tmp_path / "m.gguf")


def test_what_is_something_else(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    assert "does not begin as one" in bad(path, b"PK\3\4" + bytes(100))
    assert "version 1 is not known" in bad(path, header({}, version=1))
    assert "big-endian" in bad(path, b"GGUF" + struct.pack(">IQQ", 3, 0, 0))
    assert "too early" in bad(path, b"")
    assert "too early" in bad(path, b"GGUF")


@pytest.mark.parametrize("counts", [(2**63, 0), (0, 2**63), (2**40, 2**40), (1000, 0), (0, 1000)])
def test_impossible_counts(tmp_path: Path, counts: tuple[int, int]) -> None:
    bad(tmp_path / "m.gguf", b"GGUF" + struct.pack("<IQQ", 3, *counts) + bytes(64))


@pytest.mark.parametrize(
    "value",
    [
        struct.pack("<IQ", STRING, 2**62),
        struct.pack("<IIQ", ARRAY, STRING, 2**62),
        struct.pack("<IIQ", ARRAY, STRING, 1000),
        struct.pack("<IIQ", ARRAY, 4, 2**40),
        struct.pack("<IIQ", ARRAY, STRING, 2) + struct.pack("<Q", 2**62),
        struct.pack("<I", 99),
        struct.pack("<IIQ", ARRAY, 99, 1),
        struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * 5000,
    ],
)
def test_impossible_values(tmp_path: Path, value: bytes) -> None:
    bad(tmp_path / "m.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("key") + value)


def test_tensors_beyond_the_end(tmp_path: Path) -> None:
    assert "shorter than its tensors" in bad(tmp_path / "m.gguf", header({}, [("a", 0), ("b", 10_000)]))


def test_a_file_that_was_cut_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    whole = header(MODEL, [("a", 0), ("b", 64)])
    for length in range(0, len(whole) - 64, 97):
        bad(path, whole[:length])


@given(content=st.binary(max_size=400), at=st.integers(0, 300))
def test_no_content_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes, at: int) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.gguf"
    whole = header({key: MODEL[key] for key in list(MODEL)[:6]}, [("a", 0)]) + bytes(64)
    path.write_bytes(whole[:at] + content + whole[at + len(content) :])
    with suppress(LoadFailed):
        read_gguf(path)


def test_entries_of_the_writer_are_what_the_format_says() -> None:
    assert entry("k", 1) == b"\1\0\0\0\0\0\0\0k\4\0\0\0\1\0\0\0"
