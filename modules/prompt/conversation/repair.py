"""Conversations that a chat template refuses, or would lose something of, in a form that it takes.

What is changed depends on the template and on a turn's neighbours, not on what comes later: a conversation that grows
begins with the same text, which the model then finds in its cache.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from modules.messages import Message, Role, TextPart, ToolCall, text_message
from modules.prompt.templates.abilities import OF_CALLS, TemplateNeed
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


# Templates that want a user's turn first refuse a conversation that a greeting opens.
BEGINNING: Final = "[Start of the conversation]"
# Stands between two turns of the user, for templates that refuse them in a row.
BRIDGE: Final = "OK."


class Repairs:
    """One conversation under repair; `names` are those of what was done, in the order in which it was done."""

    def __init__(self, lacks: AbstractSet[TemplateNeed], source: str) -> None:
        self.lacks = lacks
        self.source = source
        self.names: dict[str, None] = {}

    def note(self, name: str) -> None:
        self.names[name] = None


def repaired(
    messages: Sequence[Message], lacks: AbstractSet[TemplateNeed], source: str
) -> tuple[list[Message], tuple[str, ...]]:
    """`messages` for the template `source`, which lacks `lacks`, and the names of what had to be done. What the
    template takes as it is stays as it is."""
    repairs = Repairs(lacks, source)
    turns = list(messages)
    for step, needs in _STEPS:
        if not needs.isdisjoint(lacks):
            turns = list(step(turns, repairs))
    return turns, tuple(repairs.names)


def _with_taken_calls(turns: Sequence[Message], repairs: Repairs) -> Iterable[Message]:
    if not any(turn.tool_calls or turn.role is Role.TOOL for turn in turns):
        return turns
    return with_taken_calls(turns, repairs.lacks, repairs.source, repairs.note)


def _with_system_in_front(turns: Sequence[Message], repairs: Repairs) -> Iterator[Message]:
    """System texts from before the first reply are joined in front; they always stand there."""
    end = next((i for i, turn in enumerate(turns) if turn.role is Role.ASSISTANT), len(turns))
    opening = turns[:end]
    needs = TemplateNeed.SYSTEM_AFTER_USER if _opens_with_system(turns) else TemplateNeed.SYSTEM_AFTER_USER_ALONE
    leading = next((i for i, turn in enumerate(opening) if turn.role is not Role.SYSTEM), len(opening))
    if needs not in repairs.lacks or all(turn.role is not Role.SYSTEM for turn in opening[leading:]):
        yield from turns
        return
    repairs.note("system-joined")
    yield joined([turn for turn in opening if turn.role is Role.SYSTEM])
    yield from (turn for turn in opening if turn.role is not Role.SYSTEM)
    yield from turns[end:]


def _with_system_as_user(turns: Sequence[Message], repairs: Repairs) -> Iterator[Message]:
    """System texts after a reply are said where they stand, by the user."""
    is_alone = not _opens_with_system(turns)
    after_user = TemplateNeed.SYSTEM_AFTER_USER_ALONE if is_alone else TemplateNeed.SYSTEM_AFTER_USER
    after_reply = TemplateNeed.SYSTEM_AFTER_REPLY_ALONE if is_alone else TemplateNeed.SYSTEM_AFTER_REPLY
    for index, turn in enumerate(turns):
        lack = after_reply if index > 0 and turns[index - 1].role is Role.ASSISTANT else after_user
        if index > 0 and turn.role is Role.SYSTEM and lack in repairs.lacks:
            repairs.note("system-as-user")
            yield replace(turn, role=Role.USER)
        else:
            yield turn


def _without_system(turns: Sequence[Message], repairs: Repairs) -> Iterator[Message]:
    """The leading system text goes to the front of the first user text."""
    if TemplateNeed.SYSTEM not in repairs.lacks or not _opens_with_system(turns):
        yield from turns
        return
    count = next((i for i, turn in enumerate(turns) if turn.role is not Role.SYSTEM), len(turns))
    first = next((i for i, turn in enumerate(turns) if turn.role is Role.USER), None)
    said = [turn for turn in turns[:count] if turn.text]
    repairs.note("system-in-user")
    if first is None or any(turn.role is not Role.SYSTEM for turn in turns[:first]):
        yield from ([replace(joined(said), role=Role.USER)] if said else [])
        yield from turns[count:]
        return
    yield joined([*(replace(turn, role=Role.USER) for turn in said), turns[first]])
    yield from turns[first + 1 :]


def _with_system_in_last_user(turns: Sequence[Message], repairs: Repairs) -> Iterator[Message]:
    """Where the template shows system texts only while a user's turn is the last, they stay where it showed them."""
    last = max((i for i, turn in enumerate(turns) if turn.role is Role.USER), default=len(turns) - 1)
    is_shown = TemplateNeed.SYSTEM_BEFORE_RESULT not in repairs.lacks or last == len(turns) - 1
    if is_shown or not _opens_with_system(turns):
        yield from turns
        return
    repairs.note("system-in-user")
    yield from turns[1:last]
    yield joined([replace(turns[0], role=Role.USER), turns[last]])
    yield from turns[last + 1 :]


def _without_empty_replies(turns: Sequence[Message], repairs: Repairs) -> Iterator[Message]:
    for turn in turns:
        if TemplateNeed.EMPTY_REPLY in repairs.lacks and _is_empty_reply(turn):
            repairs.note("empty-reply-left-out")
        else:
            yield turn


def _with_user_first(turns: Sequence[Message], repairs: Repairs) -> Iterator[Message]:
    count = next((i for i, turn in enumerate(turns) if turn.role is not Role.SYSTEM), len(turns))
    opens_with_reply = count < len(turns) and turns[count].role is Role.ASSISTANT
    has_no_user = all(turn.role is not Role.USER for turn in turns)
    yield from turns[:count]
    opens_with_call = opens_with_reply and bool(turns[count].tool_calls)
    if (
        (opens_with_reply and TemplateNeed.REPLY_FIRST in repairs.lacks)
        or (opens_with_call and TemplateNeed.NO_USER_BEFORE_CALL in repairs.lacks)
        or (has_no_user and TemplateNeed.NO_USER in repairs.lacks)
    ):
        repairs.note("user-turn-put-first")
        yield text_message(Role.USER, BEGINNING)
    yield from turns[count:]


def _with_neighbours_joined(turns: Sequence[Message], repairs: Repairs) -> Iterator[Message]:
    joins = {Role.USER: TemplateNeed.USERS in repairs.lacks, Role.ASSISTANT: TemplateNeed.REPLIES in repairs.lacks}
    group: list[Message] = []
    for turn in turns:
        if group and not (joins.get(turn.role) and _can_join(group[-1], turn)):
            yield joined(group)
            group = []
        elif group:
            repairs.note("turns-joined")
        group.append(turn)
    if group:
        yield joined(group)


def _with_replies_between(turns: Sequence[Message], repairs: Repairs) -> Iterator[Message]:
    """A user's turn that follows a result is answered first where the template knows no other order."""
    for index, turn in enumerate(turns):
        follows = index > 0 and turns[index - 1].role is Role.TOOL
        if follows and turn.role is Role.USER and TemplateNeed.USER_AFTER_RESULT in repairs.lacks:
            repairs.note("reply-put-between")
            yield text_message(Role.ASSISTANT, BRIDGE)
        yield turn


_Step = Callable[[Sequence[Message], Repairs], Iterable[Message]]
_AFTER_USER: Final = frozenset({TemplateNeed.SYSTEM_AFTER_USER, TemplateNeed.SYSTEM_AFTER_USER_ALONE})
_AFTER_REPLY: Final = frozenset({TemplateNeed.SYSTEM_AFTER_REPLY, TemplateNeed.SYSTEM_AFTER_REPLY_ALONE})
# In this order, each where the template lacks one of its needs.
_STEPS: Final[tuple[tuple[_Step, frozenset[TemplateNeed]], ...]] = (
    (_with_taken_calls, OF_CALLS),
    (_without_empty_replies, frozenset({TemplateNeed.EMPTY_REPLY})),
    (_with_system_in_front, _AFTER_USER),
    (_with_system_as_user, _AFTER_USER | _AFTER_REPLY),
    (_without_system, frozenset({TemplateNeed.SYSTEM})),
    (_with_user_first, frozenset({TemplateNeed.REPLY_FIRST, TemplateNeed.NO_USER, TemplateNeed.NO_USER_BEFORE_CALL})),
    (_with_neighbours_joined, frozenset({TemplateNeed.USERS, TemplateNeed.REPLIES})),
    (_with_system_in_last_user, frozenset({TemplateNeed.SYSTEM_BEFORE_RESULT})),
    (_with_replies_between, frozenset({TemplateNeed.USER_AFTER_RESULT})),
)


def joined(turns: Sequence[Message]) -> Message:
    """One turn that says what all of `turns`, which are of one role, say, with a blank line between. Its texts are one
    part, since there are templates that read only the first."""
    if len(turns) == 1:
        return turns[0]
    names = {turn.name for turn in turns}
    thoughts = [turn.reasoning for turn in turns if turn.reasoning]
    return replace(
        turns[0],
        parts=(TextPart("\n\n".join(turn.text for turn in turns if turn.text)),),
        # A joined turn of two speakers belongs to neither.
        name=names.pop() if len(names) == 1 else None,
        reasoning="\n\n".join(thoughts) if thoughts else None,
        tool_calls=tuple(call for turn in turns for call in turn.tool_calls),
    )


def _can_join(first: Message, second: Message) -> bool:
    """Calls end a turn: what follows them is another one."""
    return first.role is second.role and not first.tool_calls


def _opens_with_system(turns: Sequence[Message]) -> bool:
    return bool(turns) and turns[0].role is Role.SYSTEM


def _is_empty_reply(turn: Message) -> bool:
    return turn.role is Role.ASSISTANT and not turn.text and not turn.tool_calls and not turn.reasoning
