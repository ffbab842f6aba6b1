"""Events of a reply → what has come of it."""

import pytest

from modules.chat.tool_events import RoundFinished, ToolFinished, ToolProposed, ToolStarted
from modules.engine.types import PromptProgress, Usage
from modules.events import Content, Done, FinishReason, Progress, Reasoning, Started, ToolCallDelta, ToolCallStart
from modules.events import ContentPreview as Unhooked
from modules.messages import Message, Role, ToolCall, text_message
from modules.ui.replies.draft import CallSoFar, Drafting, ReplyDraft, divided, joined


class Clock:
    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def done(tokens: int) -> Done:
    return Done(index=0, reason=FinishReason.STOP, usage=Usage(5, tokens))


def test_the_first_token_is_waited_for_from_the_beginning() -> None:
    """An engine that reads a short prompt in one step answers only then."""
    clock = Clock()
    drafting = Drafting(clock=clock)
    clock.now += 5
    drafting.add(Started(model="m", prompt_tokens=5))
    drafting.add(Content(index=0, text="yes"))
    assert drafting.draft.outcome.waited == 6.0


def test_thought_and_words_become_one_text() -> None:
    drafting = Drafting(clock=Clock())
    for event in (
        Started(model="m", prompt_tokens=5),
        Progress(index=0, prompt=PromptProgress(1, 4, 0)),
        Reasoning(index=0, text="hm"),
        Content(index=0, text="yes"),
        Content(index=0, text=", sir"),
        done(7),
    ):
        drafting.add(event)
    draft = drafting.draft
    assert (draft.reasoning, draft.content, draft.model, draft.tokens, draft.seconds) == ("hm", "yes, sir", "m", 7, 4.0)
    assert (draft.outcome.waited, draft.outcome.writing, draft.outcome.finish) == (1.0, 3.0, "stop")
    assert draft.text == "<think>\nhm\n</think>\n\nyes, sir"


def test_reading_is_told_until_words_come() -> None:
    drafting = Drafting()
    drafting.add(Progress(index=0, prompt=PromptProgress(1, 4, 0)))
    assert drafting.draft.reading == 0.25
    drafting.add(Content(index=0, text="a"))
    assert drafting.draft.reading is None


def test_a_round_of_calls_moves_into_the_tool_messages() -> None:
    drafting = Drafting()
    call = ToolCall("1", "add", '{"a":1}')
    for event in (
        Content(index=0, text="let me see"),
        ToolCallStart(index=0, call=0, id="1", name="add"),
        ToolCallDelta(index=0, call=0, arguments='{"a"'),
        ToolCallDelta(index=0, call=0, arguments=":1}"),
        done(3),
        ToolProposed(call=call),
    ):
        drafting.add(event)
    assert drafting.draft.calls == (CallSoFar(call=call, waits=True),)
    drafting.add(ToolStarted(call=call))
    assert drafting.draft.calls == (CallSoFar(call=call),)
    drafting.add(ToolFinished(call=call, answer="2"))
    assert drafting.draft.calls == (CallSoFar(call=call, answer="2"),)
    messages = (text_message(Role.ASSISTANT, "let me see"), Message(role=Role.TOOL, tool_call_id="1"))
    drafting.add(RoundFinished(messages=messages))
    assert drafting.draft.tool_messages == messages
    assert drafting.draft.text == "" == "".join(str(call) for call in drafting.draft.calls)
    for last in (Started(model="m", prompt_tokens=1), Content(index=0, text="it is 2"), done(4)):
        drafting.add(last)
    assert (drafting.draft.text, drafting.draft.tokens) == ("it is 2", 7)


def test_what_extensions_make_of_the_words_is_shown_and_the_words_are_kept() -> None:
    drafting = Drafting()
    for event in (Unhooked(index=0, text="so"), Unhooked(index=0, text=" so"), Content(index=0, text="SO SO")):
        drafting.add(event)
    assert (drafting.draft.text, drafting.draft.visible) == ("so so", "SO SO")


def test_a_reply_goes_on_with_what_there_is() -> None:
    drafting = Drafting(ReplyDraft(content="once upon"))
    drafting.add(Content(index=0, text=" a time"))
    assert drafting.draft.text == "once upon a time"


@pytest.mark.parametrize(
    ("reasoning", "content"), [("", "words"), ("a thought", "words"), ("two\nlines", "more\n\nwords"), ("cut off", "")]
)
def test_dividing_undoes_joining(reasoning: str, content: str) -> None:
    assert divided(joined(reasoning, content)) == (reasoning, content)
