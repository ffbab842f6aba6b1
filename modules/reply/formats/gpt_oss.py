"""GPT-OSS's calls: messages in its channels whose recipient is a function, with JSON as their text.

Source: the Harmony response format. The recipient `to=functions.NAME` stands before the channel or behind it. What the
marks say of messages that are no calls is dropped, so that only their text is left.
"""

import re
from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.syntax.lark import Grammar, literal, one_of, sequence
from modules.reply.syntax.reading import read_json_call
from modules.reply.syntax.schema import OfferedTools
from modules.reply.syntax.source import NotACall, ReplySource, Steps

_START = "<|start|>assistant"
_CHANNEL = "<|channel|>"
_CONSTRAIN = "<|constrain|>"
_MESSAGE = "<|message|>"
_END = "<|end|>"
_CALL_END = "<|call|>"
_RECIPIENT = "to="
_PREFIX = "functions."
_WORD = re.compile(r"[\w.=-]*")
# A header has a role, a recipient, a channel and a content type; more is text that only begins like one.
_MAX_WORDS = 6
# Channels whose text is for the user; analysis is the model's reasoning.
_SHOWN_CHANNELS = frozenset({"final", "commentary"})


class GptOss(MarkedFormat):
    name = "gpt-oss"
    hints = (_CHANNEL,)
    openers = (_START, _CHANNEL, _END)
    closers = (_CALL_END, _END)
    markers = ("<|start|>", _CHANNEL, _CONSTRAIN, _MESSAGE, _END, _CALL_END)

    def read_first(self, source: ReplySource, offered: OfferedTools) -> Steps[None]:
        """The rest of a header whose beginning stands in the prompt."""
        yield from source.space()
        recipient = yield from source.expect(_RECIPIENT)
        yield from _read_message(source, offered, recipient)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _END:
            source.commit()
        else:
            yield from _read_message(source, offered, "")

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        """One call: the model ends its turn with each."""
        calls = (
            sequence(literal(f"{tool.name} {_CONSTRAIN}json{_MESSAGE}"), grammar.arguments(tool)) for tool in tools
        )
        head = literal(f"{_CHANNEL}commentary {_RECIPIENT}{_PREFIX}")
        return sequence(literal(_START) + "?", head, one_of(calls))


def _read_message(source: ReplySource, offered: OfferedTools, begun: str) -> Steps[None]:
    """A message behind the first mark of its header, or behind `begun`, the beginning of the header's first word."""
    words = yield from _read_header(source, begun)
    recipients = [word.removeprefix(_RECIPIENT) for word in words if word.startswith(_RECIPIENT)]
    names = [each.removeprefix(_PREFIX) for each in recipients]
    if names and names[0] in offered:
        yield from source.space()
        yield from read_json_call(source, offered, names[0])
    elif not names and _SHOWN_CHANNELS & set(words):
        source.commit()
    else:
        raise NotACall


def _read_header(source: ReplySource, begun: str) -> Steps[list[str]]:
    """The words of a header, which is read."""
    words: list[str] = [begun + (yield from source.run(_WORD))]
    while len(words) <= _MAX_WORDS:
        yield from source.space()
        mark = yield from source.literal(_CHANNEL, _CONSTRAIN, _MESSAGE)
        if mark == _MESSAGE:
            return words
        word = yield from source.run(_WORD)
        if not word and not mark:
            break
        words.append(word)
    raise NotACall
