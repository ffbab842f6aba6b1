"""What can be done to a conversation: pure functions from one history to the next.

Rows are counted from 0. Functions that take a row or a version raise BadRequest where there is none of that number.
`visible` is the text that is shown; where it is not given, it is the text itself, HTML-escaped.
"""

import html
from collections.abc import Sequence
from dataclasses import replace

from modules.chat.session.messages import history_messages
from modules.errors import BadRequest
from modules.library.chats.history import (
    NO_OUTCOME,
    Attachment,
    ChatTurn,
    History,
    Outcome,
    Row,
    Side,
    Version,
    appended,
    chosen,
    version_of,
    with_current,
    without_current,
)
from modules.messages import Message


def greeted(greeting: str, *others: str) -> History:
    """A new conversation, in which the character has spoken first unless `greeting` is empty; the `others` are versions of
    what it says."""
    if not greeting:
        return History()
    turn = with_current(ChatTurn(), _version(greeting))
    for other in others:
        turn = appended(turn, _version(other))
    return History(rows=(Row(assistant=chosen(turn, 0) if others else turn, is_greeting=True),))


def with_message(
    history: History,
    text: str,
    *,
    attachments: Sequence[Attachment] = (),
    timestamp: str = "",
    visible: str | None = None,
) -> History:
    """A row more, which waits for its reply."""
    user = with_current(ChatTurn(attachments=tuple(attachments)), _version(text, timestamp, visible))
    return replace(history, rows=(*history.rows, Row(user=user)))


def with_reply(  # noqa: PLR0913 - what is known of a reply, by name
    history: History,
    text: str,
    *,
    visible: str | None = None,
    model: str = "",
    tool_messages: Sequence[Message] = (),
    timestamp: str = "",
    tokens: int = 0,
    seconds: float = 0.0,
    outcome: Outcome = NO_OUTCOME,
    probabilities: str = "",
    lore: str = "",
) -> History:
    """The last row with this reply in place of the one it has, however far that has come; its other versions stay.

    `tool_messages` are all calls and results so far, not only new ones. Raises BadRequest when there is no row.
    """
    version = replace(
        _version(text, timestamp, visible),
        tool_messages=tuple(tool_messages),
        model=model,
        tokens=tokens,
        seconds=seconds,
        outcome=outcome,
        probabilities=probabilities,
        lore=lore,
    )
    last = len(history.rows) - 1
    return _with_turn(history, last, Side.ASSISTANT, with_current(turn_at(history, last, Side.ASSISTANT), version))


def with_dummy_message(history: History, text: str, *, timestamp: str = "") -> History:
    """As if the user had said `text`; nobody is asked for a reply."""
    return with_message(history, text, timestamp=timestamp)


def with_dummy_reply(history: History, text: str, *, timestamp: str = "") -> History:
    """As if the model had said `text`: to the last message, or to none when that has its reply."""
    if not history.rows or _has_reply(history.rows[-1]):
        history = with_message(history, "")
    return with_reply(history, text, timestamp=timestamp)


def begin_regeneration(history: History) -> History:
    """The last row without its reply, which is kept as a version; `with_reply` fills in the new one.

    Raises BadRequest when there is no row, and for a greeting, which answers nothing.
    """
    last = len(history.rows) - 1
    turn = turn_at(history, last, Side.ASSISTANT)
    if history.rows[last].is_greeting:
        raise BadRequest("A greeting is not a reply that could be written anew. Edit it instead.", param="row")
    return _with_turn(
        history,
        last,
        Side.ASSISTANT,
        appended(turn, Version(text="", visible="")) if _has_reply(history.rows[last]) else turn,
    )


def without_empty_reply(history: History) -> History:
    """After a regeneration of which nothing came: the version before it again. Any other history as it is."""
    last = len(history.rows) - 1
    if last < 0 or _has_reply(history.rows[last]):
        return history
    return _with_turn(history, last, Side.ASSISTANT, without_current(history.rows[last].assistant))


def with_failure(history: History, failure: str) -> History:
    """The last reply as it is, with what went wrong when it was to be written anew."""
    last = len(history.rows) - 1
    turn = turn_at(history, last, Side.ASSISTANT)
    version = versions_of(turn)[turn.version if turn.versions else 0]
    version = replace(version, outcome=replace(version.outcome, failure=failure))
    return _with_turn(history, last, Side.ASSISTANT, with_current(turn, version))


def with_version(history: History, row: int, side: Side, index: int) -> History:
    """Another version of a turn as the one that counts, with the calls of tools that led to it. One that was sent with
    other words has what followed it then; the same as of the version that counted is kept."""
    turn = turn_at(history, row, side)
    versions = versions_of(turn)
    changed = chosen(turn, index)
    if side is Side.ASSISTANT or index == turn.version or (later := versions[index].continuation) is None:
        return _with_turn(history, row, side, changed)
    here = {turn.version: replace(versions[turn.version], continuation=_after(history, row))}
    here[index] = replace(versions[index], continuation=None)
    changed = replace(changed, versions=tuple(here.get(each, version) for each, version in enumerate(versions)))
    first = replace(later[0], user=changed) if later else Row(user=changed)
    return replace(history, rows=(*history.rows[:row], first, *later[1:]))


def resent(history: History, row: int, text: str, *, timestamp: str = "") -> History:
    """The conversation up to a user's message, which has `text` as its newest version and waits for its reply. What
    followed it stays with the version before; attachments stay, too."""
    turn = turn_at(history, row, Side.USER)
    if history.rows[row].is_greeting:
        raise BadRequest("A greeting has no message of the user's before it.", param="row")
    before = replace(version_of(turn), continuation=_after(history, row))
    kept = tuple(before if each == turn.version else version for each, version in enumerate(versions_of(turn)))
    turn = appended(replace(turn, versions=kept), _version(text, timestamp))
    return replace(history, rows=(*history.rows[:row], Row(user=turn)))


def with_further_version(history: History, row: int, version: Version) -> History:
    """The reply of a row with one version more, which is not the one that counts."""
    turn = turn_at(history, row, Side.ASSISTANT)
    return _with_turn(history, row, Side.ASSISTANT, replace(turn, versions=(*versions_of(turn), version)))


def edited(
    history: History, row: int, side: Side, text: str, *, timestamp: str = "", visible: str | None = None
) -> History:
    """The turn with `text` as its newest version; attachments, and calls of tools before a reply, stay.

    The message of a greeting cannot be edited, since there is none.
    """
    turn = turn_at(history, row, side)
    if history.rows[row].is_greeting and side is Side.USER:
        raise BadRequest("A greeting has no message of the user's before it.", param="row")
    if text == turn.text:
        return history
    version = replace(_version(text, timestamp, visible), tool_messages=turn.tool_messages, model=turn.model)
    return _with_turn(history, row, side, appended(turn, version))


def removed_last(history: History) -> tuple[History, str]:
    """Without the last row, and what the user had said in it. A greeting stays."""
    if not history.rows or history.rows[-1].is_greeting:
        return history, ""
    return replace(history, rows=history.rows[:-1]), history.rows[-1].user.text


def branched(history: History, row: int) -> History:
    """The conversation up to a row, that row included."""
    turn_at(history, row, Side.USER)
    return replace(history, rows=history.rows[: row + 1])


def versions_of(turn: ChatTurn) -> tuple[Version, ...]:
    """All versions of a turn, which are one at least: what it is now."""
    return turn.versions or (version_of(turn),)


def messages(history: History, *, include_past_attachments: bool = True) -> tuple[Message, ...]:
    """What the model gets: every turn that says something, calls of tools and their results before their reply.

    A message's pictures stand before its text, other attachments after it. Without `include_past_attachments` only
    those of the last row are there. Thoughts stay in the text of replies. Raises BadRequest for a picture that is none.
    """
    return tuple(history_messages(history, include_past_attachments=include_past_attachments))


def turn_at(history: History, row: int, side: Side) -> ChatTurn:
    if not 0 <= row < len(history.rows):
        raise BadRequest(f"There is no message {row} in this chat, which has {len(history.rows)}.", param="row")
    return history.rows[row].side(side)


def _after(history: History, row: int) -> tuple[Row, ...]:
    """A message's reply, and all that came after it."""
    return (replace(history.rows[row], user=ChatTurn()), *history.rows[row + 1 :])


def _version(text: str, timestamp: str = "", visible: str | None = None) -> Version:
    return Version(text=text, visible=html.escape(text) if visible is None else visible, timestamp=timestamp)


def _has_reply(row: Row) -> bool:
    return bool(row.assistant.text or row.assistant.tool_messages)


def _with_turn(history: History, row: int, side: Side, turn: ChatTurn) -> History:
    old = history.rows[row]
    changed = replace(old, user=turn) if side is Side.USER else replace(old, assistant=turn)
    return replace(history, rows=(*history.rows[:row], changed, *history.rows[row + 1 :]))
