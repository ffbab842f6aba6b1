"""Replies of a local model are read again in the tokens that they were written in, also when they were ended early."""

from contextlib import aclosing
from typing import Final

from modules.chat.work import Work
from modules.chatmodels.base import RequestScope
from modules.chatmodels.local import LocalModel
from modules.events import ToolCallEnd
from modules.hooks import Hooks, Turn
from modules.messages import Message, Role, TextPart, ToolCall, ToolChoice, ToolSpec, text_message
from modules.prompt.builder import PromptBuilder
from modules.requests import ChatRequest
from tests.scripted import scripted_engine

TEMPLATE: Final = """
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or "" }}{% for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}<|im_start|>assistant
{% if false %}{{ tools }}{% endif %}"""
# The text of a control token, which the scripted model spells in letters.
SAID: Final = "<|im_start|>"
CALL: Final = '<tool_call>\n{"name": "read", "arguments": {"path": "a.py"}}'
REPLY: Final = SAID + CALL
QUESTION: Final = text_message(Role.USER, f"echo: {REPLY}")


def asked(*more: Message) -> ChatRequest:
    tools = (ToolSpec("read", parameters={"type": "object", "properties": {"path": {"type": "string"}}}),)
    return ChatRequest(model=None, messages=(QUESTION, *more), tools=tools, tool_choice=ToolChoice(parallel=False))


async def test_a_reply_that_was_ended_behind_its_call() -> None:
    builder = PromptBuilder()
    async with scripted_engine(chat_template=TEMPLATE) as engine:
        first = await builder.chat(engine, asked())
        request = asked()
        scope = RequestScope(Hooks(), Turn(request=request, owner=""), Work())
        async with aclosing(LocalModel(engine, builder).chat(request, scope)) as events:
            seen = [event async for event in events]
        assert any(isinstance(event, ToolCallEnd) for event in seen)
        call = ToolCall("1", "read", '{"path": "a.py"}')
        said = Message(role=Role.ASSISTANT, parts=(TextPart(SAID),), tool_calls=(call,))
        result = Message(role=Role.TOOL, parts=(TextPart("done"),), tool_call_id="1", name="read")
        again = await builder.chat(engine, asked(said, result))
        read = len(first.prompt.tokens)
        # The template goes on with the mark that closes the call.
        assert again.prompt.tokens[: read + len(REPLY)] == (*first.prompt.tokens, *REPLY.encode())
        assert again.text.startswith(f"{first.text}{REPLY}\n</tool_call>")
    await builder.aclose()
