"""A hook that returns what it should not fails its own request, says whose it is, and harms no other."""

from pathlib import Path
from textwrap import indent
from typing import Final

import pytest

from modules.errors import ExtensionFailed
from modules.hooks import HOOK_NAMES
from modules.reply.gather import gather
from modules.requests import CompletionRequest, Mode, Persona
from modules.runtime import Runtime
from tests.extend.loaded import reply, running, settings_of, write_extension

WRONG: Final = {
    "chat_request": "from dataclasses import replace\n"
    "return replace(request, limits=replace(request.limits, max_tokens=100 * 1.5))",
    "completion_request": "from dataclasses import replace\n"
    "return replace(request, sampling=replace(request.sampling, temperature='hot'))",
    "chat_prompt": "return None",
    "reply_prefix": "return 5",
    "token_count": "return None",
    "prompt_tokens": "return (1.5,)",
    "reply": "yield b'bytes'",
    "reply_text": "return None",
}
FIRST: Final = {"chat_request": "request", "completion_request": "request", "chat_prompt": "prompt"} | {
    "reply_prefix": "prefix",
    "token_count": "prompt",
    "prompt_tokens": "tokens",
    "reply_text": "text",
}


def once(hook: str) -> str:
    """An extension whose hook returns something wrong the first time, and what it was given from then on."""
    arguments = "turn" if hook == "reply" else f"{FIRST[hook]}, turn"
    otherwise = {"reply": "yield 'said'", "token_count": "return 1"}.get(hook) or f"return {FIRST.get(hook)}"
    body = f"if not CALLS:\n    CALLS.append(1)\n{indent(WRONG[hook], '    ')}\nelse:\n    {otherwise}"
    return f"CALLS = []\ndef setup(host):\n    @host.hook\n    def {hook}({arguments}):\n{indent(body, ' ' * 8)}\n"


async def asked(runtime: Runtime, hook: str) -> str:
    if hook == "completion_request":
        request = CompletionRequest(model=None, prompts=("echo: x",))
        return (await gather(runtime.chat.complete(request, owner="me"))).choices[0].text
    mode = Mode.CHAT if hook == "reply_prefix" else Mode.INSTRUCT
    return (await reply(runtime, "echo: x", persona=Persona(mode=mode), truncates=hook == "token_count")).text


@pytest.mark.parametrize("hook", HOOK_NAMES)
async def test_a_wrong_value_fails_one_request_and_no_other(tmp_path: Path, hook: str) -> None:
    write_extension(tmp_path, "careless", once(hook))
    async with running(settings_of(tmp_path, "careless")) as (runtime, _):
        with pytest.raises(ExtensionFailed, match=f"The extension careless returned a wrong value from {hook}"):
            await asked(runtime, hook)
        assert await asked(runtime, hook)
        assert runtime.models.state.message is None


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("def state_modifier(state):\n    state['max_new_tokens'] = 'many'\n    return state", "max_new_tokens"),
        ("def state_modifier(state):\n    state['temperature'] = 'hot'\n    return state", "temperature"),
        ("def state_modifier(state):\n    state['logit_bias'] = [1]\n    return state", "failed in state_modifier"),
        ("def state_modifier(state):\n    state['max_new_tokens'] = float('inf')\n    return state", "max_new_tokens"),
        ("def history_modifier(history):\n    return {'internal': [5]}", "failed in history_modifier"),
        ("def chat_input_modifier(text, visible, state):\n    return None", "failed in chat_input_modifier"),
        ("def tokenizer_modifier(state, prompt, ids, embeds):\n    return None", "failed in tokenizer_modifier"),
        (
            "def tokenizer_modifier(state, prompt, ids, e):\n    return prompt, [[0.5]], e",
            "failed in tokenizer_modifier",
        ),
        ("def custom_tokenized_length(prompt):\n    return 'a'", "failed in custom_tokenized_length"),
    ],
)
async def test_a_wrong_value_of_an_old_script_names_the_script(tmp_path: Path, script: str, said: str) -> None:
    write_extension(tmp_path, "innocent", "def state_modifier(state):\n    return state\n")
    write_extension(tmp_path, "careless", script)
    async with running(settings_of(tmp_path, "innocent", "careless")) as (runtime, _):
        with pytest.raises(ExtensionFailed, match=f"The extension careless.*{said}"):
            await reply(runtime, "echo: x", truncates="tokenized" in script)
