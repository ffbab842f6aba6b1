"""Named presets: what a request says wins over them, and they win over the server's defaults."""

from pathlib import Path

import pytest

from extensions.openai.chat.inbound import chat_request
from extensions.openai.common.generation import default_sampling
from extensions.openai.completions.inbound import completion_request
from extensions.openai.typing import ChatCompletionRequest, TextCompletionRequest
from modules.sampling import Sampling
from tests.api.serving import CHAT, TEXT, Served, says, served


async def test_who_wins(tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "Mine.yaml").write_text("temperature: 0.3\nmin_p: 0.1\n")
    async with served(tmp_path, temperature=1.5, top_k=9) as api:
        settings = api.runtime.settings
        assert await default_sampling(api.runtime, None) == settings.sampling
        defaults = await default_sampling(api.runtime, "Mine")
        assert defaults == Sampling(temperature=0.3, min_p=0.1)
        chat = ChatCompletionRequest.model_validate(says("hi", preset="Mine", min_p=0.2))
        text = TextCompletionRequest.model_validate({"prompt": "hi", "preset": "Mine", "min_p": 0.2})
        expected = Sampling(temperature=0.3, min_p=0.2)
        assert chat_request(chat, settings, defaults=defaults).sampling == expected
        assert completion_request(text, settings, defaults=defaults).sampling == expected
        for path, body in ((CHAT, says("echo: hi", preset="Mine")), (TEXT, {"prompt": "echo: hi", "preset": "Mine"})):
            assert (await api.post(path, body)).status_code == 200


@pytest.mark.parametrize("name", ["None such", "../settings", "/etc/passwd", "a\0b"])
async def test_a_preset_is_a_name_in_its_folder(api: Served, name: str) -> None:
    for path, body in ((CHAT, says("echo: hi")), (TEXT, {"prompt": "echo: hi"})):
        response = await api.post(path, {**body, "preset": name})
        assert (response.status_code, response.json()["error"]["param"]) == (400, "preset")
