"""Calls and results of earlier turns, as a chat template takes them: in its own form, or as text."""

import json
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from modules.messages import Message, Role, TextPart, ToolCall
from modules.prompt.templates.needs import TemplateNeed
from modules.prompt.templates.shape import BrokenArguments, ReplayedArguments, replayed_arguments


def calls_as_text(calls: Sequence[ToolCall], source: str) -> str:
    """What a model with the chat template `source` would have written to make `calls`."""
    write = next((write for hint, write in _WRITERS if hint in source), _tagged)
    return write(calls)


def result_as_text(name: str | None, text: str) -> str:
    """A result in a user's turn."""
    return f"[Tool result: {name}]\n{text}" if name else f"[Tool result]\n{text}"


def _tagged(calls: Sequence[ToolCall]) -> str:
    return "\n".join(f"<tool_call>\n{_json(call)}\n</tool_call>" for call in calls)


def _listed(calls: Sequence[ToolCall]) -> str:
    """IBM's Granite 3."""
    return f"<|tool_call|>[{', '.join(map(_json, calls))}]"


def _pythonic(calls: Sequence[ToolCall]) -> str:
    """Liquid's LFM2."""
    written = ", ".join(f"{call.name}({', '.join(_python_arguments(call))})" for call in calls)
    return f"<|tool_call_start|>[{written}]<|tool_call_end|>"


def _python_arguments(call: ToolCall) -> list[str]:
    return [f"{name}={_python(value)}" for name, value in replayed_arguments(call.arguments).items()]


def _python(value: object) -> str:
    """Python's own notation, with JSON's quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _json(call: ToolCall) -> str:
    arguments = replayed_arguments(call.arguments)
    written = str(arguments) if isinstance(arguments, ReplayedArguments) else json.dumps({"_raw": call.arguments})
    return f'{{"name": {json.dumps(call.name, ensure_ascii=False)}, "arguments": {written}}}'


_WRITERS: Final[tuple[tuple[str, Callable[[Sequence[ToolCall]], str]], ...]] = (
    ("<|tool_call|>", _listed),
    ("<|tool_call_start|>", _pythonic),
    ("List of tools: ", _pythonic),
)


NO_RESULT: Final = "[No result]"


def with_taken_calls(
    turns: Sequence[Message], lacks: AbstractSet[TemplateNeed], source: str, note: Callable[[str], None]
) -> Iterator[Message]:
    """`note` is told the name of whatever is done."""
    calls = _Calls(lacks, source, note)
    if calls.are_texts:
        yield from map(calls.as_text, turns)
        return
    groups = _rounds(turns)
    for number, group in enumerate(groups):
        follower = groups[number + 1][0] if number + 1 < len(groups) else None
        yield from calls.taken(group, follower) if group[0].tool_calls else group


class _Calls:
    def __init__(self, lacks: AbstractSet[TemplateNeed], source: str, note: Callable[[str], None]) -> None:
        self._lacks = lacks
        self._source = source
        self._note = note
        # A template without a role for results has none for the calls either. Where turns must alternate, a reply that
        # is all text counts as one, and a result between two of them does not.
        alternates = TemplateNeed.REPLIES in lacks
        self.are_texts = TemplateNeed.CALL in lacks or TemplateNeed.RESULT in lacks
        self._writes_results = TemplateNeed.RESULT in lacks or (self.are_texts and alternates)

    def as_text(self, turn: Message) -> Message:
        if turn.tool_calls:
            self._note("calls-written")
            written = calls_as_text(turn.tool_calls, self._source)
            text = f"{turn.text}\n{written}" if turn.text else written
            return replace(turn, parts=(TextPart(text),), tool_calls=())
        if turn.role is Role.TOOL and self._writes_results:
            self._note("results-written")
            text = result_as_text(turn.name, turn.text)
            return replace(turn, role=Role.USER, parts=(TextPart(text),), name=None, tool_call_id=None)
        return turn

    def taken(self, group: Sequence[Message], follower: Message | None) -> Iterator[Message]:
        """A turn with calls and the results that follow it; `follower` is the turn after those."""
        turn = self._mended(group[0])
        results = list(group[1:])
        if follower is not None and TemplateNeed.UNANSWERED_CALL in self._lacks:
            answered = {result.tool_call_id for result in results}
            missing = [call for call in turn.tool_calls if call.id not in answered]
            if missing:
                self._note("result-added")
                results += [_no_result(call) for call in missing]
        if turn.text and TemplateNeed.CALL_WITH_TEXT in self._lacks and TemplateNeed.REPLIES not in self._lacks:
            self._note("text-put-before-calls")
            yield replace(turn, tool_calls=())
            turn = replace(turn, parts=(), reasoning=None)
        if len(turn.tool_calls) > 1 and TemplateNeed.CALLS in self._lacks:
            self._note("calls-split")
            yield from _one_by_one(turn, results)
        else:
            yield turn
            yield from results

    def _mended(self, turn: Message) -> Message:
        if TemplateNeed.BROKEN_CALL not in self._lacks:
            return turn
        calls = tuple(_mended(call) for call in turn.tool_calls)
        if calls != turn.tool_calls:
            self._note("arguments-repaired")
        return replace(turn, tool_calls=calls)


def _mended(call: ToolCall) -> ToolCall:
    """What is no JSON object becomes the one value of one."""
    if not isinstance(replayed_arguments(call.arguments), BrokenArguments):
        return call
    return replace(call, arguments=json.dumps({"_raw": call.arguments}, ensure_ascii=False))


def _rounds(turns: Sequence[Message]) -> list[list[Message]]:
    """Each turn alone, but turns with calls together with the results after them."""
    rounds: list[list[Message]] = []
    for turn in turns:
        if turn.role is Role.TOOL and rounds and (rounds[-1][0].tool_calls):
            rounds[-1].append(turn)
        else:
            rounds.append([turn])
    return rounds


def _one_by_one(turn: Message, results: Sequence[Message]) -> Iterator[Message]:
    """Each call in a turn of its own, with its result behind it. The text stands in the first."""
    rest = list(results)
    for number, call in enumerate(turn.tool_calls):
        alone = replace(turn, tool_calls=(call,))
        yield alone if number == 0 else replace(alone, parts=(), reasoning=None)
        answer = next((result for result in rest if result.tool_call_id == call.id), None)
        if answer is not None:
            rest.remove(answer)
            yield answer
    yield from rest


def _no_result(call: ToolCall) -> Message:
    return Message(role=Role.TOOL, parts=(TextPart(NO_RESULT),), tool_call_id=call.id, name=call.name)
