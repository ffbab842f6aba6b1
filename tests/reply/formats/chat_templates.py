"""The chat templates of some seventy models, and how each writes a turn of the assistant."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from modules.errors import BadRequest
from modules.prompt.templates.render import TemplateRenderer

# Texts that end a turn, and what some templates begin anew behind it. A model prints none of them: they are, or follow,
# the token with which its reply ends.
_TURN_ENDS = (
    "<EOS>",
    "<|im_end|>\n",
    "<|im_end|>",
    "<|end_of_text|>\n",
    "<|eot_id|>",
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|eom_id|>",
    "<|eot|>",
    "<|end|>\n",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|message_sep|>\n\n",
    "<|end_of_msg|>",
    "<|role_end|>",
    "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>",
    "<｜end▁of▁sentence｜><｜Assistant｜>",
    "<｜end▁of▁sentence｜><｜Assistant｜><｜end▁of▁sentence｜>",
    "<｜hy_eos:opensource｜>",
    "<end_of_sentence>\n",
    "<end_of_turn>\n",
    "<SPECIAL_12>\n\n",
    "<seed:eos>",
    "<turn|>\n",
    "<|tool_response>",
    "[e~[\n",
    "</assistant>\n",
    "<sep>",
)
_USER = {"role": "user", "content": "Hi"}


@dataclass(frozen=True, slots=True)
class Turn:
    """What the reply goes on from, as the template writes it within a conversation and at its end: some begin a reply that
    is to come otherwise than one that was given. And the reply."""

    prompts: tuple[str, ...]
    reply: str


class TemplateWriter:
    """Writes conversations with one template, in which `tools` are offered."""

    def __init__(self, source: str, tools: Sequence[dict[str, Any]]) -> None:
        self._renderer = TemplateRenderer()
        self._source = source
        self._tools = list(tools)

    def turn(self, message: dict[str, Any]) -> Turn:
        """Raises BadRequest where the template refuses the message."""
        prompt, whole = self.prompt, self._written([_USER, message])
        place = _common(prompt, whole)
        if place < len(prompt):
            # What the prompt begins the reply with is another mark than the message begins with.
            opened = prompt.rfind("<", 0, place)
            place = opened if opened >= 0 and ">" not in prompt[opened:place] else place
        # Command R is told once more, before it replies, how to write calls.
        reply = whole[place:].partition("<|START_OF_TURN_TOKEN|>")[0].removeprefix("<|CHATBOT_TOKEN|>")
        return Turn((whole[:place], prompt), _without_end(reply))

    @cached_property
    def prompt(self) -> str:
        """As the model gets it."""
        return self._written([_USER], begins_reply=True)

    def _written(self, messages: list[dict[str, Any]], *, begins_reply: bool = False) -> str:
        """Some templates take arguments as objects only, others as text."""
        try:
            return self._rendered(messages, begins_reply=begins_reply)
        except BadRequest:
            return self._rendered([_with_texts(message) for message in messages], begins_reply=begins_reply)

    def _rendered(self, messages: list[dict[str, Any]], *, begins_reply: bool) -> str:
        variables = {
            "messages": messages,
            "tools": self._tools,
            "functions": json.dumps(self._tools),
            "datetime": "today",
            "add_generation_prompt": begins_reply,
            "bos_token": "<BOS>",
            "eos_token": "<EOS>",
        }
        return self._renderer.render(self._source, variables)


def assistant(*calls: tuple[str, dict[str, Any]], **said: str) -> dict[str, Any]:
    """A message of the assistant with `calls`, each a name and its arguments."""
    written = [
        {"id": f"abcdefgh{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(calls)
    ]
    return {"role": "assistant", "content": "", **said, **({"tool_calls": written} if written else {})}


def _with_texts(message: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {**call, "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"])}}
        for call in message.get("tool_calls", ())
    ]
    return {**message, **({"tool_calls": calls} if calls else {})}


def _common(one: str, other: str) -> int:
    return next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))


def _without_end(reply: str) -> str:
    end = max((end for end in _TURN_ENDS if reply.endswith(end)), key=len, default="")
    body = reply[: len(reply) - len(end)]
    return body if body == reply else _without_end(body)
