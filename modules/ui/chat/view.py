"""A conversation → what Gradio's chat component shows, and what the page's buttons need.

Thoughts and calls of tools are messages of their own that can be folded. Pure.
"""

import html
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from gradio.components.chatbot import Message as ChatMessage
from gradio.components.chatbot import MetadataDict, TextMessage

from modules.chat.citations import KNOWLEDGE, SOURCES, citations_of, is_in_passages
from modules.chat.session.session import versions_of
from modules.chat.tool_loop import REJECTED
from modules.library.chats.history import Attachment, ChatTurn, History, Side
from modules.messages import Message, Role, ToolCall
from modules.ui.branches.tokens import key_of
from modules.ui.knowledge.links import with_links
from modules.ui.page import languages
from modules.ui.page.escape import shown_markdown
from modules.ui.page.image_tool import picture_name
from modules.ui.replies.draft import CallSoFar, ReplyDraft, divided
from modules.ui.replies.figures import rate_of, seconds_of
from modules.ui.replies.marks import Fact, Part

APPROVALS: Final = ("Approve", "Always approve", "Reject")
Picture = Callable[[Attachment], str]

# The model reads the whole result; on the page it is only looked at.
_MAX_SHOWN_RESULT: Final = 4000
_MAX_TITLE_ARGUMENTS: Final = 60
_MAX_TITLE_ANSWER: Final = 80
_ENDED: Final = {
    "stop": "Ended by itself",
    "length": "Reached the limit of tokens",
    "stopped": "Stopped",
    "incomplete": "Interrupted",
}
_MADE: Final = "The picture that was made"

_Shown = tuple[Part, ChatMessage]


@dataclass(frozen=True, slots=True)
class View:
    """As many facts as messages, in the same order."""

    messages: list[ChatMessage]
    facts: list[Fact]

    def fact(self, index: object) -> Fact | None:
        """Of the message that a browser names by its number."""
        return self.facts[index] if isinstance(index, int) and 0 <= index < len(self.facts) else None


def view_of(history: History, picture: Picture) -> View:
    """`picture` makes an attachment that is one a data URL of modest size."""
    shown = list(_rows(history, picture, frozenset(citations_of(history))))
    return View([message for message, _ in shown], [fact for _, fact in shown])


def without_last_reply(history: History) -> History:
    """The conversation up to the reply that is being written."""
    if not history.rows:
        return history
    return replace(history, rows=(*history.rows[:-1], replace(history.rows[-1], assistant=ChatTurn())))


def facts_json(facts: Iterable[Fact]) -> str:
    """For the page's script: one short object for each message."""
    return json.dumps(
        [
            {
                "v": fact.version + 1,
                "n": fact.versions,
                "t": fact.pace,
                "i": fact.info,
                "p": fact.part,
                "r": fact.row,
                "s": fact.side,
                "k": fact.tokens,
                "x": fact.finish,
                "e": fact.failure,
                "o": fact.is_open,
            }
            for fact in facts
        ]
    )


def live_messages(draft: ReplyDraft) -> list[ChatMessage]:
    """A reply that is being written."""
    before = [message for _, message in _tool_messages(draft.tool_messages)]
    now = list(_under_way(draft))
    return [*before, *(now or [_text("assistant", _waiting(draft))])]


def reply_messages(turn: ChatTurn, picture: Picture) -> list[ChatMessage]:
    """A finished reply, by itself; nothing is there that its citations could lead to."""
    return [message for _, message in _reply(turn, picture, frozenset())]


def failed_message(reason: str) -> ChatMessage:
    """In the place of what did not come."""
    return _text("assistant", f"⚠ {shown_markdown(reason)}")


def _under_way(draft: ReplyDraft) -> Iterator[ChatMessage]:
    if draft.reasoning:
        is_open = not draft.content
        title = languages.text("Thinking …") if is_open else languages.text("Thought")
        yield _folded(title, draft.reasoning, is_open=is_open)
    if draft.content:
        yield _text("assistant", shown_markdown(draft.content))
    yield from (_call(call) for call in draft.calls)


def _waiting(draft: ReplyDraft) -> str:
    if draft.reading is None:
        return "…"
    return languages.text("Processing the prompt … {share}", share=f"{draft.reading:.0%}")


def _rows(history: History, picture: Picture, cited: frozenset[int]) -> Iterator[tuple[ChatMessage, Fact]]:
    for number, row in enumerate(history.rows):
        user = row.user
        if not row.is_greeting and (user.text or user.attachments):
            fact = _fact(number, Side.USER, Part.TEXT, user)
            is_last = number == len(history.rows) - 1
            is_open = is_last and not (
                row.assistant.text or row.assistant.tool_messages or row.assistant.outcome.failure
            )
            yield _text("user", _user_text(user, picture)), replace(fact, is_open=is_open)
        for part, message in _reply(row.assistant, picture, cited):
            yield message, _fact(number, Side.ASSISTANT, part, row.assistant)


def _reply(turn: ChatTurn, picture: Picture, cited: frozenset[int]) -> Iterator[_Shown]:
    yield from _tool_messages(turn.tool_messages, picture)
    reasoning, content = divided(turn.text)
    if reasoning:
        yield Part.THOUGHT, _folded(languages.text("Thought"), reasoning)
    if content:
        shown = content if _is_plain(turn) else divided(html.unescape(turn.visible))[1]
        yield Part.TEXT, _text("assistant", shown_markdown(with_links(shown, cited) if cited else shown))
    elif turn.outcome.failure:
        yield Part.FAILURE, _text("assistant", shown_markdown(turn.outcome.failure))


def _is_plain(turn: ChatTurn) -> bool:
    """Whether what is shown is what was said; an extension may have changed it."""
    return turn.visible == html.escape(turn.text)


def _fact(row: int, side: Side, part: Part, turn: ChatTurn) -> Fact:
    return Fact(
        row=row,
        side=side,
        part=part,
        version=turn.version,
        versions=len(versions_of(turn)),
        pace=pace_of(turn),
        info=info_of(turn),
        tokens=key_of(turn, part),
        finish=turn.outcome.finish,
        failure=turn.outcome.failure,
    )


def pace_of(turn: ChatTurn) -> str:
    """How fast it was written, how long it is, and how long its first token took."""
    waited = turn.outcome.waited
    first = seconds_of(waited) if waited else ""
    return " · ".join(filter(None, (rate_of(turn.tokens, turn.seconds, turn.outcome), _length(turn.tokens), first)))


def _length(tokens: int) -> str:
    return f"{tokens:,} tok" if tokens else ""


def info_of(turn: ChatTurn) -> str:
    """By which model and when, why it ended, and with which entries of lorebooks."""
    text, asked = languages.text, turn.outcome.prompt_tokens
    ended = text(_ENDED[turn.outcome.finish]) if turn.outcome.finish in _ENDED else ""
    whole = text("{seconds} s in all", seconds=f"{turn.seconds:,.1f}") if turn.tokens and turn.seconds else ""
    prompt = text("{count} tokens of prompt", count=f"{asked:,}") if asked else ""
    lore = text("Lorebook: {entries}", entries=turn.lore) if turn.lore else ""
    return " · ".join(filter(None, (turn.model, turn.timestamp, whole, prompt, ended, lore)))


def _user_text(turn: ChatTurn, picture: Picture) -> str:
    shown = [_attachment(each, picture) for each in turn.attachments]
    return "\n\n".join(filter(None, (" ".join(shown), shown_markdown(turn.text))))


def _attachment(attachment: Attachment, picture: Picture) -> str:
    name = attachment.name.replace("[", "(").replace("]", ")").replace("`", "'")
    if attachment.is_image and (url := picture(attachment)):
        return f"![{name}]({url})"
    if attachment.type == KNOWLEDGE:
        return _passages(attachment, name)
    cut = languages.text("in passages, because it is too long for the context")
    return f"`📎 {name} ({cut})`" if is_in_passages(attachment) else f"`📎 {name}`"


def _passages(attachment: Attachment, name: str) -> str:
    """A link that opens the first of them."""
    sources = attachment.extra.get(SOURCES)
    found = sources if isinstance(sources, list) else []
    first = found[0].get("number") if found and isinstance(found[0], dict) else None
    one, several = (
        languages.text("1 passage from {name}", name=name),
        languages.text("{count} passages from {name}", count=len(found), name=name),
    )
    label = one if len(found) == 1 else several
    return f"[{label}](#cite-{first})" if isinstance(first, int) else f"`{label}`"


def _tool_messages(messages: Iterable[Message], picture: Picture | None = None) -> Iterator[_Shown]:
    """Each call with its answer, and the picture that it made; words and thoughts that stood before the calls, too. None of
    it can be edited."""
    messages = tuple(messages)
    answers = {message.tool_call_id: message.text for message in messages if message.role is Role.TOOL}
    for message in messages:
        if message.role is not Role.ASSISTANT:
            continue
        if message.reasoning:
            yield Part.TOOL, _folded(languages.text("Thought"), message.reasoning)
        if message.text.strip():
            yield Part.TOOL, _text("assistant", shown_markdown(message.text))
        for call in message.tool_calls:
            answer = answers.get(call.id)
            yield Part.TOOL, _call(CallSoFar(call=call, answer=answer))
            name = picture_name(call.name, answer or "")
            if name and picture and (url := picture(Attachment(name=name, type="image", image_id=name))):
                yield Part.TOOL, _text("assistant", f"![{languages.text(_MADE)}]({url})")


def _call(so_far: CallSoFar) -> ChatMessage:
    asked = f"```json\n{_fenced(_pretty(so_far.call.arguments))}\n```"
    answer = so_far.answer
    answered = "" if answer is None else f"\n\n```\n{_fenced(answer[:_MAX_SHOWN_RESULT])}\n```"
    options = [{"label": languages.text(each), "value": each} for each in APPROVALS] if so_far.waits else None
    asks = languages.text("Allow {tool}?", tool=_plain_name(so_far.call))
    title = asks if so_far.waits else _told_call(so_far)
    return ChatMessage(
        role="assistant",
        content=[TextMessage(text=asked + answered)],
        metadata=_metadata(title, is_open=answer is None),
        options=options,
    )


def _told_call(so_far: CallSoFar) -> str:
    """The call with its arguments, and how it went."""
    asked = _in_short(", ".join(_shown_arguments(so_far.call.arguments)), _MAX_TITLE_ARGUMENTS)
    answer = so_far.answer
    if answer is None:
        went = ""
    elif answer.startswith("Error:"):
        went = f": {languages.text('failed')}, {_in_short(answer.removeprefix('Error:'), _MAX_TITLE_ANSWER)}"
    elif answer == REJECTED:
        went = f": {languages.text('rejected')}"
    else:
        went = f": {_in_short(answer, _MAX_TITLE_ANSWER)}"
    return f"{_plain_name(so_far.call)}({asked}){went}"


def _shown_arguments(arguments: str) -> Iterator[str]:
    try:
        values = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return
    for name, value in values.items() if isinstance(values, dict) else ():
        yield f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def _in_short(text: str, most: int) -> str:
    """One line without what Markdown or HTML read."""
    line = " ".join(text[: 4 * most].split())
    plain = "".join("_" if letter in "<>`*[]\\&#|$" else letter for letter in line)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _plain_name(call: ToolCall) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-. " else "_" for letter in call.name)[:80] or "a tool"


def _pretty(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments


def _fenced(text: str) -> str:
    """Text that cannot end the code block it stands in."""
    return text.replace("```", "`\u200b``")


def _folded(title: str, text: str, *, is_open: bool = False) -> ChatMessage:
    return ChatMessage(
        role="assistant",
        content=[TextMessage(text=shown_markdown(text))],
        metadata=_metadata(title, is_open=is_open),
    )


def _metadata(title: str, *, is_open: bool) -> MetadataDict:
    return {"title": title, "status": "pending" if is_open else "done"}


def _text(role: str, text: str) -> ChatMessage:
    return ChatMessage(role=role, content=[TextMessage(text=text)])
