"""The template beside a model."""

import json
import logging
import os
from pathlib import Path

import pytest

from modules.backends.model_templates import template_beside


def put(folder: Path, **files: object) -> None:
    for stem, content in files.items():
        name = {"jinja": "chat_template.jinja", "template": "chat_template.json", "config": "tokenizer_config.json"}[
            stem
        ]
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def test_the_order_of_the_files(tmp_path: Path) -> None:
    assert template_beside(tmp_path) is None
    put(tmp_path, config={"chat_template": "config", "bos_token": "<s>"})
    assert template_beside(tmp_path) == "config"
    put(tmp_path, template={"chat_template": "template"})
    assert template_beside(tmp_path) == "template"
    put(tmp_path, jinja="{{ jinja }}\n")
    assert template_beside(tmp_path) == "{{ jinja }}\n"


@pytest.mark.parametrize("files", [{"jinja": "x"}, {"template": {"chat_template": "x"}}])
def test_no_tokenizer_file_is_needed(tmp_path: Path, files: dict[str, object]) -> None:
    put(tmp_path, **files)
    assert template_beside(tmp_path) == "x"


@pytest.mark.parametrize(
    ("templates", "source"),
    [
        ([{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}], "d"),
        ([{"name": "tool_use", "template": "t"}, {"name": "rag", "template": "r"}], "t"),
        ({"tool_use": "t", "default": "d"}, "d"),
        ({"rag": "r"}, "r"),
        ([], None),
        ([{"name": "default"}], None),
        (["x", 5], None),
        (None, None),
        (5, None),
        ("", None),
    ],
)
def test_several_named_templates(tmp_path: Path, templates: object, source: str | None) -> None:
    put(tmp_path, config={"chat_template": templates})
    assert template_beside(tmp_path) == source


@pytest.mark.parametrize("text", ["{", "\ud800".encode("utf-8", "surrogatepass"), "[" * 100_000, ""])
def test_a_bad_file_is_named_and_passed_over(
    tmp_path: Path, text: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "chat_template.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    put(tmp_path, config={"chat_template": "next"})
    with caplog.at_level(logging.WARNING):
        assert template_beside(tmp_path) == "next"
    assert "chat_template.json" in caplog.text


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "chat_template.jinja")
    (tmp_path / "chat_template.json").mkdir()
    put(tmp_path, config={"chat_template": "next"})
    assert template_beside(tmp_path) == "next"


def test_json_of_another_kind_is_none(tmp_path: Path) -> None:
    put(tmp_path, template=["list"], config="5")
    assert template_beside(tmp_path) is None
