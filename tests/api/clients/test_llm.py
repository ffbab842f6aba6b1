"""simonw/llm on the command line, with this API as one of its extra models."""

import json
import sys
from pathlib import Path

import pytest

from tests.api.clients.running import output_of
from tests.api.clients.words import ANSWER, SCHEMA

MODEL = """
- model_id: here
  model_name: any
  api_base: "{url}"
  supports_schema: true
  supports_tools: true
"""


@pytest.mark.parametrize("way", [[], ["--no-stream"]])
async def test_prompts(url: str, tmp_path: Path, way: list[str]) -> None:
    assert await _llm(url, tmp_path, "echo: hello", *way) == "hello\n"
    told = json.loads(await _llm(url, tmp_path, ANSWER, "--schema", json.dumps(SCHEMA), *way))
    assert told == {"city": "Rome", "days": 3}


async def _llm(url: str, folder: Path, *arguments: str) -> str:
    (folder / "extra-openai-models.yaml").write_text(MODEL.format(url=url))
    return await output_of(
        sys.executable, "-m", "llm", "-m", "here", "--no-log", *arguments, LLM_USER_PATH=str(folder), OPENAI_API_KEY="x"
    )
