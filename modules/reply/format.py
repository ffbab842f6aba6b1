"""How the replies to one request are written and constrained; chosen before generation."""

import json
import re
from dataclasses import dataclass, field, replace
from typing import Final

from modules.engine.types import Constraint, Thought
from modules.errors import BadRequest
from modules.messages import ToolChoice, ToolSpec, ToolUse
from modules.reply.formats.registry import choose_tool_format
from modules.reply.reasoning.formats import ReplyReasoning, choose_reasoning
from modules.reply.tool_format import ToolFormat, ToolParser
from modules.requests import ChatRequest
from modules.text.control_tokens import ControlTexts

_SLASH_OR_ESCAPED: Final = re.compile(r"\\.|[/\n]", re.DOTALL)


def calls_or_answer(calls: Constraint, answer: Constraint, *, mark: str = "", header: str = "") -> Constraint:
    """What is either calls and nothing else, or the answer that the request describes. Where the model begins answers
    with a `mark`, it comes first, after the `header` of its message or without.

    Raises BadRequest for a form of answer that cannot be joined with calls.
    """
    head = f"{json.dumps(header)}? {json.dumps(mark)} " if mark else ""
    text = f"start: calls | answer\ncalls: {_rule(calls)}\nanswer: {head}form\nform: {_rule(answer)}\n"
    return Constraint(kind="lark", text=text, param=answer.param)


def _rule(constraint: Constraint) -> str:
    """The right-hand side of a rule of llguidance's Lark dialect (its docs/syntax.md) that matches the same."""
    match constraint.kind:
        case "json_schema":
            return f"%json {constraint.text}"
        case "lark":
            return f"%lark {{\n{constraint.text}\n}}"
        case "regex":
            return f"/{_SLASH_OR_ESCAPED.sub(_escaped, constraint.text)}/"
    raise BadRequest(
        'Tools with tool_choice "auto" cannot be combined with this kind of grammar. Set tool_choice to "none" or '
        '"required", or describe the answer as a JSON schema, a regular expression or a Lark grammar.',
        param="tool_choice",
    )


def _escaped(match: "re.Match[str]") -> str:
    return {"/": r"\/", "\n": r"\n"}.get(match.group(), match.group())


NO_CONTROLS: Final = ControlTexts(())


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFormat:
    """`tools` are those whose calls are recognised, and without `tool_format` none are. `controls` are the texts that
    the model prints along with its words and that nobody is shown; `constraint` and `thought` hold the model to what
    was asked of it."""

    reasoning: ReplyReasoning = field(default_factory=ReplyReasoning)
    tool_format: ToolFormat | None = None
    tools: tuple[ToolSpec, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)
    controls: ControlTexts = NO_CONTROLS
    constraint: Constraint | None = None
    thought: Thought | None = None

    @property
    def can_divide(self) -> bool:
        """False when everything is content, as it comes."""
        return self.reasoning.can_occur or self.tool_format is not None or bool(self.controls)

    @property
    def skips_special_tokens(self) -> bool:
        """Control tokens are printed only for the sake of marks that are some."""
        return not self.controls

    def parser(self, *, keeps_space: bool = False) -> ToolParser | None:
        """For one reply."""
        return self.tool_format.parser(self.tools, keeps_space=keeps_space) if self.tool_format else None


PLAIN: Final = ReplyFormat()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyContext:
    """What a reply goes on from: the `prompt` as text, the chat `template` that it was written with, and the texts of
    all the model's control tokens. `prefixes` are texts that models like to repeat at the beginning; with `is_thinking`
    the request handed over a thought to go on with.
    """

    template: str
    prompt: str
    controls: ControlTexts = NO_CONTROLS
    prefixes: tuple[str, ...] = ()
    is_thinking: bool = False


def choose_format(request: ChatRequest, context: ReplyContext) -> ReplyFormat:
    """Raises BadRequest when the request asks for a call that it offers no tool for, or for too much at once."""
    reasoning = _reasoning(request, context)
    tools = _callable_tools(request)
    # Without offered tools what looks like a call is text, such as an explanation of the format.
    tool_format = choose_tool_format(context.template) if tools else None
    marks = (*reasoning.marks, *(tool_format.markers if tool_format else ()))
    constraint = _constraint(request, tool_format, tools, reasoning)
    return ReplyFormat(
        reasoning=reasoning,
        tool_format=tool_format,
        tools=tools,
        choice=request.tool_choice,
        controls=context.controls if any(context.controls.occur_in(mark) for mark in marks) else NO_CONTROLS,
        constraint=constraint,
        thought=_thought(reasoning, request.reasoning_budget, constraint, is_answer=not tools),
    )


def _reasoning(request: ChatRequest, context: ReplyContext) -> ReplyReasoning:
    is_over = request.continue_last and not context.is_thinking and bool(request.messages[-1].text.strip())
    chosen = choose_reasoning(context.template, context.prompt, is_open=context.is_thinking, is_over=is_over)
    return replace(chosen, prefixes=context.prefixes)


def _callable_tools(request: ChatRequest) -> tuple[ToolSpec, ...]:
    choice = request.tool_choice
    if choice.use is ToolUse.NONE:
        return ()
    tools = tuple(tool for tool in request.tools if not choice.names or tool.name in choice.names)
    if choice.use is ToolUse.REQUIRED and not tools:
        raise BadRequest("tool_choice asks for a call of a tool that is not among the tools.", param="tool_choice")
    return tools


def _constraint(
    request: ChatRequest, tool_format: ToolFormat | None, tools: tuple[ToolSpec, ...], reasoning: ReplyReasoning
) -> Constraint | None:
    answer, choice = request.constraint, request.tool_choice
    if tool_format is None or (choice.use is ToolUse.AUTO and answer is None):
        return answer
    calls = replace(tool_format.constraint(tools, parallel=choice.parallel), param="tool_choice")
    if choice.use is ToolUse.REQUIRED or answer is None:
        return calls
    marked = next((each for each in reasoning.formats if each.has_answer_message), None)
    if marked is None:
        return calls_or_answer(calls, answer)
    return calls_or_answer(calls, answer, mark=marked.answer, header=marked.header)


def _thought(
    reasoning: ReplyReasoning, budget: int | None, constraint: Constraint | None, *, is_answer: bool
) -> Thought | None:
    """What the backend has to know of thoughts: nothing, unless they are bounded or what follows them is constrained."""
    marked = next((each for each in reasoning.formats if each.start or reasoning.is_open), None)
    if reasoning.is_over or marked is None or (constraint is None and budget is None):
        return None
    # A constraint of the answer says nothing of the mark before it, so that mark ends the thought.
    has_mark = constraint is not None and is_answer and marked.has_answer_message
    end = marked.end + marked.header + marked.answer if has_mark else marked.end
    return Thought(end=end, start="" if reasoning.is_open else marked.start, is_open=reasoning.is_open, budget=budget)
