"""Bad files are refused by name and line, within bounds."""

import os
from pathlib import Path

import pytest
import yaml

from modules.errors import BadRequest
from modules.library.text_files import as_mapping, parse_json, parse_yaml, read_text, text_at, yaml_text
from tests.effort import effort_ratio


def refusal(text: str, name: str = "file.yaml") -> str:
    parse = parse_json if name.endswith(".json") else parse_yaml
    with pytest.raises(BadRequest) as caught:
        parse(text, name)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3),
        ("a: 1\n\tb: 2\n", 2),
        ('a: "open\n', 2),
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: &x 1\nb: *x\n", 2),
        ("a: 1\n[1]: 2\n", 2),
    ],
)
def test_what_is_no_plain_yaml_is_told_by_line(text: str, line: int) -> None:
    message = refusal(text)
    assert "file.yaml" in message
    assert f"line {line}" in message


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)),
        "a: &a {k: v}\n"
        + "".join(
            f"{n}: &{n} {{<<: [{','.join([f'*{p}'] * 9)}]}}\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "[" * 100_000,
        "{a: " * 5000,
        "- " * 5000 + "x",
        "[" + "1," * 500_000 + "]",
        "a: " + "9" * 10_000,
    ],
    ids=["aliases", "merges", "brackets", "braces", "dashes", "many", "number"],
)
def test_bombs_cost_little_more_than_honest_files(text: str) -> None:
    honest = "".join(f"key{number}: a value of some words\n" for number in range(2000))
    assert len(refusal(text)) < 400
    assert effort_ratio(lambda: refusal(text), lambda: parse_yaml(honest, "file.yaml"), times=1) < 20


@pytest.mark.parametrize("text", ["{", '{"a": 1,\n"b": }', "[" * 100_000, '{"a": ' + "9" * 10_000 + "}"])
def test_bad_json_is_told_by_name(text: str) -> None:
    assert "file.json" in refusal(text, "file.json")


def test_the_line_of_bad_json() -> None:
    assert "line 2" in refusal('{"a": 1,\n"b": }', "file.json")


def test_mappings_and_what_are_none() -> None:
    assert as_mapping(None, "f") == {}
    assert as_mapping({1: "a", "b": 2}, "f") == {"1": "a", "b": 2}
    for content in ("text", ["list"], 5):
        with pytest.raises(BadRequest, match="line 1"):
            as_mapping(content, "f")


def test_texts() -> None:
    content = {"a": " x ", "b": 7, "c": None, "d": ["x"]}
    assert [text_at(content, key, "f") for key in ("a", "b", "c", "missing")] == [" x ", "7", "", ""]
    with pytest.raises(BadRequest, match="f: `d`"):
        text_at(content, "d", "f")


def test_files_are_utf8_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\n")
    assert read_text(path) == "one\ntwo\n"
    path.write_bytes(b"one\ntw\xff\n")
    with pytest.raises(BadRequest, match=r"file\.txt.*line 2"):
        read_text(path)
    path.write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(BadRequest, match=r"file\.txt is larger than 1024 KiB"):
        read_text(path)


def test_only_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(BadRequest, match="not a file"):
            read_text(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "missing")


def test_written_yaml_is_read_back_and_kept_readable() -> None:
    content = {"name": "Zoë", "number": "007", "context": "one: #1\n\n  two\n", "list": ["a", 1.5]}
    text = yaml_text(content)
    assert yaml.safe_load(text) == content
    assert text.startswith("name: Zoë\n")
    assert "context: |" in text
