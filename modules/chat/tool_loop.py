"""A reply that may call tools: generate → calls → approve → run → generate, to the end."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from modules.chat.service import ChatService
from modules.chat.tool_events import (
    Approval,
    Approve,
    LoopEvent,
    RoundFinished,
    ToolFinished,
    ToolProposed,
    ToolRefused,
    ToolStarted,
)
from modules.chat.tools.cited import ToolCaller
from modules.chat.tools.toolbox import ToolBox
from modules.chat.work import Work, WorkRegister
from modules.errors import BadRequest
from modules.events import Event, FinishReason
from modules.messages import Message, Role, TextPart, ToolCall, ToolUse
from modules.reply.gather import ReplyAccumulator
from modules.requests import ChatRequest

# A model that calls tools in a circle would go on until somebody notices.
MAX_ROUNDS: Final = 25
REJECTED: Final = "The user did not allow this call."
_STOPPED: Final = "The user stopped this call."


class ToolLoop:
    """Stops of `work` end the rounds that it runs as they end replies."""

    def __init__(self, chat: ChatService, tools: ToolBox, work: WorkRegister) -> None:
        self._chat = chat
        self._tools = tools
        self._work = work

    async def converse(
        self,
        request: ChatRequest,
        *,
        owner: str,
        approve: Approve,
        tools: ToolCaller | None = None,
        max_rounds: int = MAX_ROUNDS,
    ) -> AsyncGenerator[LoopEvent, None]:
        """The events of every round, each from Started to Done, and what happens to the calls between them.

        Only tools that `request` offers are run. In the last of `max_rounds` the model is offered none. Closing the
        generator cancels a running tool; a stop of `owner` does too, and calls without an answer then get one that
        says so. `tools` run the calls, if it is not all tools as they are. Raises what `ChatService.chat` does, and
        BadRequest for more than one choice.
        """
        if request.limits.n != 1:
            raise BadRequest("A reply that calls tools has one choice.", param="n")
        rounds = _Rounds(tools or self._tools, approve, frozenset(spec.name for spec in request.tools))
        with self._work.open(owner) as work:
            for count in range(max_rounds):
                draft = _Draft(request)
                asked = _without_tools(request) if count == max_rounds - 1 else request
                async with aclosing(self._chat.chat(asked, owner=owner)) as events:
                    async for event in events:
                        draft.add(event)
                        yield event
                if _is_last(draft, work):
                    return
                async with aclosing(rounds.answered(draft, work)) as happenings:
                    async for happening in happenings:
                        yield happening
                if work.is_stopped:
                    return
                request = _gone_on(request, draft.message, rounds.answers)


class _Rounds:
    """Runs the calls of one round after another; `answers` are those of the latest."""

    def __init__(self, tools: ToolCaller, approve: Approve, offered: frozenset[str]) -> None:
        self._tools = tools
        self._approve = approve
        self._offered = offered
        self._trusted: set[str] = set()
        self.answers: tuple[Message, ...] = ()

    async def answered(self, draft: "_Draft", work: Work) -> AsyncGenerator[LoopEvent, None]:
        """Ends with RoundFinished, in which every call has an answer, however it came about."""
        calls = draft.message.tool_calls
        answers: list[str] = []
        async with aclosing(work.until_stopped(self._run(calls))) as events:
            async for event in events:
                if isinstance(event, ToolFinished | ToolRefused):
                    answers.append(event.answer)
                yield event
        answers += [_STOPPED] * (len(calls) - len(answers))
        self.answers = tuple(_tool_message(call, answer) for call, answer in zip(calls, answers, strict=True))
        yield RoundFinished(messages=(draft.message, *self.answers))

    async def _run(self, calls: Sequence[ToolCall]) -> AsyncGenerator[LoopEvent, None]:
        for call in calls:
            if call.name not in self._offered:
                yield ToolRefused(call=call, answer=f"There is no tool named {call.name!a:.80}.")
                continue
            if call.name not in self._trusted:
                yield ToolProposed(call=call)
                if not await self._is_allowed(call):
                    yield ToolRefused(call=call, answer=REJECTED)
                    continue
            yield ToolStarted(call=call)
            yield ToolFinished(call=call, answer=await self._tools.call(call.name, call.arguments))

    async def _is_allowed(self, call: ToolCall) -> bool:
        approval = await self._approve(call)
        if approval is Approval.ALWAYS:
            self._trusted.add(call.name)
        return approval is not Approval.REJECT


class _Draft:
    """The assistant's message of one round, as its events come."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._reply = ReplyAccumulator()

    def add(self, event: Event) -> None:
        self._reply.add(event)

    @property
    def calls_tools(self) -> bool:
        done = self._reply.choice(0).done
        return done is not None and done.reason is FinishReason.TOOL_CALLS and bool(self.message.tool_calls)

    @property
    def message(self) -> Message:
        """With what it goes on from, where it goes on."""
        choice = self._reply.choice(0).finished()
        before = self._request.messages[-1].text if self._request.continue_last else ""
        text = before + choice.text
        return Message(
            role=Role.ASSISTANT,
            parts=(TextPart(text),) if text else (),
            tool_calls=choice.tool_calls,
            reasoning=choice.reasoning or None,
        )


def _is_last(draft: _Draft, work: Work) -> bool:
    return work.is_stopped or not draft.calls_tools


def _gone_on(request: ChatRequest, message: Message, answers: Sequence[Message]) -> ChatRequest:
    """What to ask next. A call that was required has been made."""
    before = request.messages[:-1] if request.continue_last else request.messages
    choice = request.tool_choice
    if choice.use is ToolUse.REQUIRED:
        choice = replace(choice, use=ToolUse.AUTO, names=())
    return replace(
        request,
        messages=(*before, message, *answers),
        continue_last=False,
        add_generation_prompt=True,
        tool_choice=choice,
    )


def _without_tools(request: ChatRequest) -> ChatRequest:
    return replace(request, tool_choice=replace(request.tool_choice, use=ToolUse.NONE, names=()))


def _tool_message(call: ToolCall, answer: str) -> Message:
    return Message(role=Role.TOOL, parts=(TextPart(answer),), name=call.name, tool_call_id=call.id)
