"""What is chosen for the replies to a request, and what the model is held to."""

from typing import Any

import pytest
from llguidance import LLMatcher, LLTokenizer

from modules.engine.types import Constraint, Thought
from modules.errors import BadRequest
from modules.messages import Role, ToolChoice, ToolSpec, ToolUse, text_message
from modules.reply.format import PLAIN, ReplyContext, ReplyFormat, calls_or_answer, choose_format
from modules.reply.reasoning import formats
from modules.requests import ChatRequest
from modules.text.control_tokens import ControlTexts

QWEN = "<think> </think> <tool_call>"
HARMONY = "<|start|>assistant<|channel|>analysis<|message|>"
CONTROLS = ControlTexts(("<|im_end|>", "<|channel|>", "<|message|>", "<|end|>"))
TOOLS = (ToolSpec(name="f"), ToolSpec(name="g"))
ANSWER = Constraint(kind="json_schema", text='{"type": "object"}')
REQUIRED = ToolChoice(use=ToolUse.REQUIRED)


def chosen(template: str = QWEN, prompt: str = "assistant\n", *, begun: str = "", **options: Any) -> ReplyFormat:
    last = text_message(Role.ASSISTANT, begun) if begun else text_message(Role.USER, "hi")
    request = ChatRequest(model=None, messages=(last,), continue_last=bool(begun), **options)
    return choose_format(request, ReplyContext(template=template, prompt=prompt, controls=CONTROLS))


def matches(constraint: Constraint, text: str) -> bool:
    tokenizer = LLTokenizer("byte")
    matcher = LLMatcher(tokenizer, constraint.text, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    tokens = tokenizer.tokenize_str(text)
    return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())


def test_without_tools_and_thoughts_all_is_content() -> None:
    assert not chosen("{{ messages }}").can_divide
    assert not PLAIN.can_divide


@pytest.mark.parametrize("options", [{}, {"tools": TOOLS, "tool_choice": ToolChoice(use=ToolUse.NONE)}])
def test_no_calls_are_looked_for(options: dict[str, Any]) -> None:
    reply_format = chosen(**options)
    assert (reply_format.tool_format, reply_format.parser(), reply_format.constraint) == (None, None, None)


def test_named_tools_are_the_only_ones() -> None:
    reply_format = chosen(tools=TOOLS, tool_choice=ToolChoice(names=("g",)))
    assert [tool.name for tool in reply_format.tools] == ["g"]
    assert (reply_format.constraint, reply_format.thought) == (None, None)


def test_required_calls_are_enforced_behind_the_thought() -> None:
    reply_format = chosen(tools=TOOLS, tool_choice=ToolChoice(use=ToolUse.REQUIRED, names=("f",)), constraint=ANSWER)
    assert reply_format.constraint is not None
    assert reply_format.constraint.param == "tool_choice"
    assert '"f"' in reply_format.constraint.text.replace("\\", "")
    assert reply_format.thought == Thought(start="<think>", end="</think>")


@pytest.mark.parametrize("tools", [(), TOOLS])
def test_a_call_of_nothing_is_refused(tools: tuple[ToolSpec, ...]) -> None:
    with pytest.raises(BadRequest) as refused:
        chosen(tools=tools, tool_choice=ToolChoice(use=ToolUse.REQUIRED, names=("h",)))
    assert refused.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("template", "prompt", "budget", "thought"),
    [
        (QWEN, "assistant\n", None, Thought(start="<think>", end="</think>")),
        (QWEN, "assistant\n<think>\n", 9, Thought(end="</think>", is_open=True, budget=9)),
        (QWEN, "assistant\n<think>\n\n</think>\n\n", None, Thought(start="<think>", end="</think>")),
        ("</think>", "assistant\n", None, Thought(start="<think>", end="</think>")),
        (
            HARMONY,
            "<|start|>assistant",
            None,
            Thought(start=formats.ANALYSIS.start, end="<|end|><|start|>assistant<|channel|>final<|message|>"),
        ),
        ("{{ messages }}", "assistant\n", None, None),
    ],
)
def test_thoughts_are_free_and_answers_constrained(
    template: str, prompt: str, budget: int | None, thought: Thought | None
) -> None:
    reply_format = chosen(template, prompt, constraint=ANSWER, reasoning_budget=budget)
    assert (reply_format.constraint, reply_format.thought) == (ANSWER, thought)


def test_a_budget_alone_ends_the_thought_and_nothing_else() -> None:
    thought = chosen(HARMONY, "<|start|>assistant", reasoning_budget=5).thought
    assert thought == Thought(start=formats.ANALYSIS.start, end="<|end|>", budget=5)
    assert chosen(reasoning_budget=None).thought is None


def test_a_continued_answer_has_no_thought() -> None:
    reply_format = chosen(begun="The answer", constraint=ANSWER)
    assert (reply_format.thought, reply_format.can_divide) == (None, False)


def test_control_tokens_are_printed_only_where_they_are_marks() -> None:
    assert chosen(QWEN).skips_special_tokens
    assert not chosen(HARMONY).skips_special_tokens
    assert chosen(HARMONY).controls is CONTROLS
    assert not chosen("<|channel|>", tools=TOOLS).skips_special_tokens


def test_calls_or_the_answer() -> None:
    calls = Constraint(kind="lark", text='start: "CALL" r0\nr0: /[0-9]+/\n', param="tool_choice")
    for answer, good, bad in (
        (Constraint(kind="json_schema", text='{"enum": ["x"]}'), '"x"', '"y"'),
        (Constraint(kind="regex", text=r"a/b\/c\d\\"), "a/b/c7\\", "a/b/c"),
        (Constraint(kind="lark", text='start: A "!"\nA: /[{}]+/'), "{}!", "x!"),
    ):
        both = calls_or_answer(calls, answer)
        assert both.param == "response_format"
        assert [matches(both, text) for text in ("CALL12", good, bad, "CALL", "CALL1" + good)] == [
            True,
            True,
            False,
            False,
            False,
        ]


def test_answers_come_behind_their_mark() -> None:
    both = calls_or_answer(Constraint(kind="lark", text='start: "CALL"'), ANSWER, mark="<final>", header="<start>")
    texts = ("CALL", "<final>{}", "<start><final>{}", "{}", "<start>CALL")
    assert [matches(both, text) for text in texts] == [True, True, True, False, False]


def test_a_grammar_that_cannot_be_joined_with_calls_is_refused() -> None:
    with pytest.raises(BadRequest, match="tool_choice") as refused:
        chosen(tools=TOOLS, constraint=Constraint(kind="gbnf", text='root ::= "a"'))
    assert refused.value.param == "tool_choice"


@pytest.mark.parametrize("template", [QWEN, HARMONY, "<|tool_call>call:", "[TOOL_CALLS]", "minimax:tool_call"])
def test_calls_of_every_kind_of_format_can_be_joined_with_an_answer(template: str) -> None:
    constraint = chosen(template, tools=TOOLS, constraint=ANSWER).constraint
    assert constraint is not None
    answer = '<|channel|>final<|message|>{"a": 1}' if template == HARMONY else '{"a": 1}'
    assert matches(constraint, answer)
    assert not matches(constraint, "hello")
