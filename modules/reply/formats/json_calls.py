"""Calls as JSON objects: Hermes, Qwen, Llama, Cohere, GigaChat, Firefunction, Apertus."""

import re
from collections.abc import Sequence
from typing import ClassVar

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.syntax.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.syntax.reading import give_arguments, give_call, read_json_call, read_json_value, skip_closers
from modules.reply.syntax.schema import OfferedTools, quoted
from modules.reply.syntax.source import NotACall, ReplySource, Steps
from modules.reply.syntax.values import ValueReader, json_of_literal
from modules.reply.tool_format import Text

_TAGS = ("tool_call", "tool_calls", "function_call", "function_calls", "functioncall", "function", "tools", "TOOLCALL")
# Models trained on several formats mix up the keys; what is meant is plain from the value.
_NAME_KEYS = frozenset({"name", "function", "tool", "tool_name", "function_name"})
_ARGUMENT_KEYS = frozenset({"arguments", "parameters", "args", "input", "tool_input", "action_input"})
_OTHER_KEYS = frozenset({"id", "type", "index", "tool_call_id", "call_id"})
_PREFIX = "functions."
# Some models put their calls into a code block.
_FENCE = "```"
_INFORMATION = re.compile(r"[\w-]*")
# Llama 3.1 joins several calls with a semicolon, other models with a comma.
_SEPARATORS = (",", ";")
_COLON = "/: ?/"
_COMMA = "/, ?/"


class JsonCalls(MarkedFormat):
    name = "json"
    hints = ("<tool_call>", "<|python_tag|>", "<|tool_call|>", "<TOOLCALL>", "<function_call>")
    openers = (*(f"<{tag}>" for tag in _TAGS), "<|tool_call|>", "<|python_tag|>")
    closers = (*(f"</{tag}>" for tag in _TAGS), "<|/tool_call|>")
    markers = ("<tool_call>", "</tool_call>", "<|tool_call|>", "<|/tool_call|>", "<|python_tag|>")

    def read_first(self, source: ReplySource, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        is_fenced = yield from source.literal(_FENCE)
        if is_fenced:
            yield from source.run(_INFORMATION)
        yield from read_objects(source, offered)
        if is_fenced:
            yield from skip_closers(source, (_FENCE,))

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from read_objects(source, offered)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        keys = ("arguments", "parameters")
        call = grammar.rule(one_of(object_rule(grammar, tool, keys=keys) for tool in tools))
        tagged = sequence(literal("<tool_call>\n"), call, literal("\n</tool_call>"))
        return one_of((repeated(tagged, literal("\n"), parallel=parallel), call))


def read_objects(source: ReplySource, offered: OfferedTools, *, is_list: bool = False) -> Steps[None]:
    """One call object, or several in a list (`is_list` if it is open already) or one after the other."""
    yield from source.space()
    is_list = bool((yield from source.literal("["))) or is_list
    yield from source.space()
    while True:
        yield from source.expect("{")
        yield from _CallObject(source, offered).read()
        source.mark()
        yield from source.space()
        if is_list and (yield from source.literal("]")):
            source.commit()
            return
        if (yield from source.literal(*_SEPARATORS)):
            yield from source.space()
        if (yield from source.peek()) != "{":
            yield Text(source.unread())
            return


class _CallObject:
    """One call's object. Arguments that come before the name are held back until it is known."""

    def __init__(self, source: ReplySource, offered: OfferedTools) -> None:
        self._source = source
        self._offered = offered
        self._values = ValueReader(source)
        self._name: str | None = None
        self._held: str | None = None
        self._is_called = False

    def read(self) -> Steps[None]:
        """The object behind its opening bracket."""
        yield from self._values.members(self._member)
        if not self._is_called:
            yield from self._call_with(self._held or "{}")

    def _member(self, key: str, lead: str) -> Steps[None]:
        if key in _NAME_KEYS and self._name is None:
            yield from self._read_name()
        elif key in _ARGUMENT_KEYS and not self._is_called:
            yield from self._read_arguments()
        elif self._is_called or key in _OTHER_KEYS:
            yield from read_json_value(self._source)
        else:
            raise NotACall

    def _read_name(self) -> Steps[None]:
        if (yield from self._source.literal("{")):
            yield from self._values.members(self._member)
            return
        name = yield from self._values.string_text()
        self._name = name if name in self._offered else name.removeprefix(_PREFIX)
        if self._name not in self._offered:
            raise NotACall
        if self._held is not None:
            yield from self._call_with(self._held)

    def _read_arguments(self) -> Steps[None]:
        if self._name is None:
            self._held = yield from read_json_value(self._source)
            return
        self._is_called = True
        yield from read_json_call(self._source, self._offered, self._name)

    def _call_with(self, held: str) -> Steps[None]:
        if self._name is None:
            raise NotACall
        arguments = json_of_literal(held, self._offered.schema(self._name))
        if arguments is None or not arguments.startswith("{"):
            raise NotACall
        self._is_called = True
        yield from give_call(self._source, self._name, give_arguments(arguments))


def object_rule(grammar: Grammar, tool: ToolSpec, *, keys: Sequence[str]) -> str:
    """A call's object, with its arguments under one of `keys`.

    Cut where llguidance cuts JSON, so that an answer in JSON may stand as an alternative to it.
    """
    name = sequence(literal(quoted("name")), _COLON, literal(quoted(tool.name)))
    key = one_of(literal(quoted(key)) for key in keys)
    return sequence(literal("{"), name, _COMMA, key, _COLON, grammar.arguments(tool), literal("}"))


_COHERE_CALLS = "<|START_ACTION|>"
_COHERE_CALLS_END = "<|END_ACTION|>"
_ACTION = "Action:"
_COHERE_FENCE = "```"
_COHERE_INFORMATION = re.compile(r"[\w-]*")


class Command(MarkedFormat):
    name = "command"
    hints = (_COHERE_CALLS,)
    openers = (_COHERE_CALLS,)
    closers = (_COHERE_CALLS_END,)
    markers = (_COHERE_CALLS, _COHERE_CALLS_END)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from read_objects(source, offered)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        identifier = sequence(literal('"tool_call_id": "'), "/[0-9]{1,3}/", literal('", '))
        call = grammar.rule(one_of(_cohere_call_rule(grammar, tool, identifier) for tool in tools))
        calls = repeated(call, literal(",\n    "), parallel=parallel)
        return sequence(literal(_COHERE_CALLS + "[\n    "), calls, literal("\n]" + _COHERE_CALLS_END))


class CommandR(MarkedFormat):
    name = "command-r"
    hints = ("Write 'Action:' followed by", "Write \\'Action:\\' followed by", "\\nAction:\\n```json")
    openers = (_ACTION,)
    markers = ()

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from source.expect(_COHERE_FENCE)
        yield from source.run(_COHERE_INFORMATION)
        yield from read_objects(source, offered)
        yield from skip_closers(source, (_COHERE_FENCE,))

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_cohere_call_rule(grammar, tool, "") for tool in tools))
        calls = repeated(call, literal(",\n"), parallel=parallel)
        return sequence(literal(f"{_ACTION}\n{_COHERE_FENCE}json\n[\n"), calls, literal(f"\n]{_COHERE_FENCE}"))


def _cohere_call_rule(grammar: Grammar, tool: ToolSpec, identifier: str) -> str:
    head = literal(f'"tool_name": {quoted(tool.name)}, "parameters": ')
    return sequence(literal("{"), identifier, head, grammar.arguments(tool), literal("}"))


_FIREFUNCTION_CALLS = "functools["


class Firefunction(MarkedFormat):
    name = "firefunction"
    hints = (_FIREFUNCTION_CALLS,)
    openers = (_FIREFUNCTION_CALLS,)
    markers = ()

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from read_objects(source, offered, is_list=True)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(object_rule(grammar, tool, keys=("arguments",)) for tool in tools))
        return sequence(literal(_FIREFUNCTION_CALLS), repeated(call, literal(", "), parallel=parallel), literal("]"))


_CALL = "<|function_call|>"
_MESSAGE_END = "<|message_sep|>"
_ROLE = "function call<|role_sep|>"


class GigaChat(MarkedFormat):
    name = "gigachat"
    hints: ClassVar[tuple[str, ...]] = (_CALL,)
    openers = (_CALL, _MESSAGE_END, _ROLE)
    closers = (_MESSAGE_END,)
    markers = (_CALL, _MESSAGE_END, "<|role_sep|>")

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _MESSAGE_END:
            yield from source.space()
            yield from source.expect(_ROLE)
        yield from read_objects(source, offered)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        """One call: the model ends its turn with each."""
        return sequence(
            literal(self.call_head), one_of(object_rule(grammar, tool, keys=("arguments",)) for tool in tools)
        )

    call_head = _CALL


class GigaChat30(GigaChat):
    name = "gigachat-3.0"
    hints = (_ROLE, "<|role_sep|>")
    call_head = f"{_MESSAGE_END}\n\n{_ROLE}\n"


_APERTUS_CALLS = "<|tools_prefix|>"
_APERTUS_CALLS_END = "<|tools_suffix|>"


class Apertus(MarkedFormat):
    name = "apertus"
    hints = (_APERTUS_CALLS,)
    openers = (_APERTUS_CALLS,)
    closers = (_APERTUS_CALLS_END,)
    markers = (_APERTUS_CALLS, _APERTUS_CALLS_END)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from source.expect("[")
        while True:
            yield from source.space()
            yield from _read_call(source, offered)
            source.mark()
            yield from source.space()
            if (yield from source.literal("]", _APERTUS_CALLS_END)):
                source.commit()
                return
            yield from source.expect(",")

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_apertus_call_rule(grammar, tool) for tool in tools))
        return sequence(
            literal(_APERTUS_CALLS + "["),
            repeated(call, literal(", "), parallel=parallel),
            literal("]" + _APERTUS_CALLS_END),
        )


def _read_call(source: ReplySource, offered: OfferedTools) -> Steps[None]:
    yield from source.expect("{")
    yield from source.space()
    name = yield from ValueReader(source).string_text()
    if name not in offered:
        raise NotACall
    yield from source.space()
    yield from source.expect(":")
    yield from source.space()
    yield from read_json_call(source, offered, name)
    yield from source.space()
    yield from source.literal("}")


def _apertus_call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    return sequence(literal("{" + quoted(tool.name) + ": "), grammar.arguments(tool), literal("}"))
