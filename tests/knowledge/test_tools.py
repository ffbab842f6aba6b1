"""The tool with which a model searches the user's documents."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from modules.chat.tools.base import ToolFailed
from modules.knowledge.tools import knowledge_tool
from modules.runtime import Runtime
from tests.models.launches import scripted_settings


async def test_it_finds_numbered_passages_and_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    settings = scripted_settings(tmp_path, user_data_dir=tmp_path / "data", openai_embedding_model="none")
    async with Runtime(settings) as runtime:
        function = knowledge_tool(runtime.knowledge).function

        async def search(arguments: dict[str, Any]) -> str:
            answer = function(arguments)
            assert inspect.isawaitable(answer)
            return str(await answer)

        with pytest.raises(ToolFailed, match="no documents"):
            await search({"query": "clock"})
        runtime.knowledge.collections.create("tower")
        runtime.knowledge.collections.add("tower", "a.md", b"# Clock\n\nIt strikes twelve.")
        (source,) = json.loads(await search({"query": "when does it strike"}))["sources"]
        assert source == {
            "number": 1,
            "source": "tower/a.md",
            "heading": "Clock",
            "text": "# Clock\n\nIt strikes twelve.",
        }
        assert await search({"query": "zebra", "collections": ["tower"]}) == "Nothing was found. Try other words."
        for wrong in ({}, {"query": 3}, {"query": "x", "count": 0}, {"query": "x", "collections": [1]}):
            with pytest.raises(ToolFailed):
                await search(wrong)
        with pytest.raises(ToolFailed, match="There are: tower"):
            await search({"query": "x", "collections": ["towel"]})
