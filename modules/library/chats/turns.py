"""What the file of a conversation says about a turn beside its text: time, model, attachments, versions, tool calls."""

import html
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from modules.library.chats.fields import filled, list_at, number_at, objects_at, without
from modules.library.chats.history import Attachment, Turn, Version
from modules.library.chats.tools import stored_tools, tools_from
from modules.library.chats.versions import appended, version_of, with_current
from modules.library.text_files import text_at

_ATTACHMENT: Final = ("name", "type", "content", "image_data", "url", "image_id")
_SHARED: Final = ("timestamp", "model_name", "tokens", "seconds", "tool_sequence")
_VERSION: Final = ("content", "visible_content", *_SHARED)
_TURN: Final = ("attachments", "versions", "current_version_index", *_SHARED)


def turn_from(text: str, visible: str, content: Mapping[str, object], place: str) -> Turn:
    """`content` is the turn's metadata; `place` names it in what BadRequest says."""
    current = _version({**content, "content": text, "visible_content": visible}, place)
    turn = Turn(
        attachments=tuple(_attachment(each, place) for each in objects_at(content, "attachments", place)),
        versions=tuple(_version(each, place) for each in objects_at(content, "versions", place)),
        extra=without(content, *_TURN),
    )
    return _settled(turn, int(number_at(content, "current_version_index", place)), replace(current, extra={}))


def stored_turn(turn: Turn) -> dict[str, object]:
    shared = _stored_shared(version_of(turn))
    if not turn.versions:
        versions: dict[str, object] = {}
    else:
        stored = [_stored_version(version) for version in turn.versions]
        versions = {"versions": stored, "current_version_index": turn.version}
    attachments = [_stored_attachment(attachment) for attachment in turn.attachments]
    return {**turn.extra, **shared, **filled({"attachments": attachments}), **versions}


def _settled(turn: Turn, index: int, current: Version) -> Turn:
    """The text of the row counts: a file may have been written while a version grew or was about to be added."""
    if not turn.versions:
        return with_current(turn, current)
    turn = replace(turn, version=min(max(index, 0), len(turn.versions) - 1))
    listed = turn.versions[turn.version]
    if current.text.startswith(listed.text):
        return with_current(turn, _completed(current, listed))
    return appended(turn, current) if current.text else with_current(turn, listed)


def _completed(current: Version, listed: Version) -> Version:
    """What the turn says of itself, and for the rest what its entry among the versions says."""
    return replace(
        current,
        timestamp=current.timestamp or listed.timestamp,
        tool_messages=current.tool_messages or listed.tool_messages,
        model=current.model or listed.model,
        extra=listed.extra,
    )


def _version(content: Mapping[str, object], place: str) -> Version:
    text = text_at(content, "content", place)
    return Version(
        text=text,
        visible=html.escape(text)
        if content.get("visible_content") is None
        else text_at(content, "visible_content", place),
        timestamp=text_at(content, "timestamp", place),
        tool_messages=tools_from(list_at(content, "tool_sequence", place), place),
        model=text_at(content, "model_name", place),
        tokens=int(number_at(content, "tokens", place)),
        seconds=float(number_at(content, "seconds", place)),
        extra=without(content, *_VERSION),
    )


def _stored_version(version: Version) -> dict[str, object]:
    texts = {"content": version.text, "visible_content": version.visible}
    return {**version.extra, **texts, **_stored_shared(version)}


def _stored_shared(version: Version) -> dict[str, object]:
    return {
        "timestamp": version.timestamp,
        **filled(
            {
                "model_name": version.model,
                "tokens": version.tokens,
                "seconds": version.seconds,
                "tool_sequence": stored_tools(version.tool_messages),
            }
        ),
    }


def _attachment(content: Mapping[str, object], place: str) -> Attachment:
    texts = {key: text_at(content, key, f"{place}: an attachment") for key in _ATTACHMENT}
    return Attachment(**texts, extra=without(content, *_ATTACHMENT))


def _stored_attachment(attachment: Attachment) -> dict[str, object]:
    texts = {key: getattr(attachment, key) for key in _ATTACHMENT}
    return {**attachment.extra, "name": attachment.name, "type": attachment.type, **filled(texts)}
