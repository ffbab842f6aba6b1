"""The versions of one turn: which there are, and which one counts."""

from dataclasses import replace

from modules.errors import BadRequest
from modules.library.chats.history import Turn, Version


def version_of(turn: Turn) -> Version:
    """What the turn is now."""
    return Version(
        text=turn.text,
        visible=turn.visible,
        timestamp=turn.timestamp,
        tool_messages=turn.tool_messages,
        model=turn.model,
        tokens=turn.tokens,
        seconds=turn.seconds,
    )


def with_current(turn: Turn, version: Version) -> Turn:
    """The turn with `version` in the place of what it is now."""
    versions = tuple(version if index == turn.version else each for index, each in enumerate(turn.versions))
    return _showing(replace(turn, versions=versions), version)


def appended(turn: Turn, version: Version) -> Turn:
    """The turn with `version` as its newest, beside what it was before."""
    versions = (*(turn.versions or (version_of(turn),)), version)
    return _showing(replace(turn, versions=versions, version=len(versions) - 1), version)


def chosen(turn: Turn, index: int) -> Turn:
    """The turn as its version `index` has it. Raises BadRequest where there is none."""
    versions = turn.versions or (version_of(turn),)
    if not 0 <= index < len(versions):
        raise BadRequest(f"There is no version {index} of this message, which has {len(versions)}.", param="version")
    return _showing(replace(turn, version=index), versions[index])


def without_current(turn: Turn) -> Turn:
    """The turn as its version before was, without the one that it is now; a turn of one version as it is."""
    if not turn.versions:
        return turn
    versions = (*turn.versions[: turn.version], *turn.versions[turn.version + 1 :])
    index = max(turn.version - 1, 0)
    return _showing(replace(turn, versions=versions, version=index), versions[index]) if versions else turn


def _showing(turn: Turn, version: Version) -> Turn:
    return replace(
        turn,
        text=version.text,
        visible=version.visible,
        timestamp=version.timestamp,
        tool_messages=version.tool_messages,
        model=version.model,
        tokens=version.tokens,
        seconds=version.seconds,
    )
