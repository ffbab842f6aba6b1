"""What answers a request goes by the model that it has leased, not by the one that is loaded at some moment."""

import ast
from collections.abc import Sequence
from typing import Final

from tests.architecture.source_tree import Source, program_sources

ANSWERING: Final = ("extensions/openai/", "modules/chat/", "modules/chatmodels/", "modules/prompt/", "modules/reply/")


def readers_of_state(sources: Sequence[Source]) -> list[str]:
    return [
        f"{source.path}:{node.lineno} reads models.state"
        for source in sources
        if source.path.startswith(ANSWERING)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and node.attr == "state" and is_models(node.value)
    ]


def is_models(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name.lstrip("_") == "models"


def test_no_answer_depends_on_what_is_loaded_at_some_moment() -> None:
    assert readers_of_state(program_sources()) == []


def test_a_reader_is_found() -> None:
    text = "def f(runtime):\n    return runtime.models.state.card"
    for path in ("extensions/openai/chat/routes.py", "extensions/openai/models.py", "modules/chat/service.py"):
        assert readers_of_state([Source(path, text)]) == [f"{path}:2 reads models.state"]
    assert readers_of_state([Source("modules/ui/chat/tab.py", text)]) == []
