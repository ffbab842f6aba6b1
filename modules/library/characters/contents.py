"""What of a character card is used here, and what is only kept."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from modules.library.characters.character import Character
from modules.library.characters.pictures import embedded_path

_ASSETS: Final = "assets"
_EXTENSIONS: Final = "extensions"
_DEPTH_PROMPT: Final = "depth_prompt"
# A card's fields about the card itself, which ask for nothing.
_ABOUT: Final = frozenset(
    {_ASSETS, _EXTENSIONS, "creator_notes_multilingual", "source", "creation_date", "modification_date"}
)
_USED: Final = frozenset({"voice", _DEPTH_PROMPT, "fav", "talkativeness", "world"})
# The picture of the card itself, for assets of the third version.
_DEFAULT: Final = "ccdefault:"
_IN_PNG: Final = "__asset:"
_SHOWN: Final = 6


def without_embedded(character: Character) -> tuple[Character, int]:
    """The character without the assets that lie in an archive and are not taken out of it, and how many those are. Its
    main icon is the picture."""
    assets = character.more.get(_ASSETS)
    if not isinstance(assets, list):
        return character, 0
    kept = [_as_default(each) if _is_main(each) and _is_embedded(each) else each for each in assets]
    kept = [each for each in kept if not _is_embedded(each)]
    changed = {**character.more, _ASSETS: kept}
    return replace(character, more=MappingProxyType(changed)), len(assets) - len(kept)


def depth_prompt(character: Character) -> tuple[str, int, str]:
    """SillyTavern's note of the character: a text, how many messages from the end it stands, and in whose role."""
    extensions = character.more.get(_EXTENSIONS)
    note = extensions.get(_DEPTH_PROMPT) if isinstance(extensions, dict) else None
    match note:
        case {"prompt": str(text), **rest} if text.strip():
            depth, role = rest.get("depth"), rest.get("role")
            return text.strip(), depth if isinstance(depth, int) and 0 <= depth < 10_000 else 4, str(role or "system")
    return "", 4, "system"


def used_parts(character: Character) -> tuple[str, ...]:
    """In words, what the character brings besides description and first message."""
    counts = {
        "alternate greeting": len(character.alternate_greetings),
        "lorebook entry": len(character.book.entries) if character.book else 0,
    }
    texts = {"system prompt": character.system_prompt, "post-history instructions": character.post_history_instructions}
    return (
        *(_counted(count, noun) for noun, count in counts.items() if count),
        *(noun for noun, text in texts.items() if text),
    )


def unused_parts(character: Character) -> tuple[str, ...]:
    """In words, what is kept with the character, and given away again, but changes nothing here."""
    return tuple(_unused(character))


def _unused(character: Character) -> Iterator[str]:
    if character.group_greetings:
        yield _counted(len(character.group_greetings), "group greeting")
    assets = character.more.get(_ASSETS)
    if isinstance(assets, list) and (others := [each for each in assets if not _is_main(each)]):
        yield _counted(len(others), "asset")
    extensions = character.more.get(_EXTENSIONS)
    named = (
        [key for key, value in extensions.items() if value and key not in _USED] if isinstance(extensions, dict) else []
    )
    if named:
        yield f"extensions ({', '.join(map(str, named[:_SHOWN]))})"
    if fields := [key for key, value in character.more.items() if value and key not in _ABOUT]:
        yield f"fields of its own ({', '.join(fields[:_SHOWN])})"
    if character.book and character.book.unused:
        yield f"of the lorebook: {', '.join(character.book.unused[:_SHOWN])}"


def _counted(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


def _is_main(asset: object) -> bool:
    return isinstance(asset, Mapping) and asset.get("type") == "icon" and asset.get("name", "main") == "main"


def _is_embedded(asset: object) -> bool:
    uri = asset.get("uri") if isinstance(asset, Mapping) else None
    return isinstance(uri, str) and (embedded_path(uri) is not None or uri.startswith(_IN_PNG))


def _as_default(asset: Mapping[str, object]) -> dict[str, object]:
    return {**asset, "uri": _DEFAULT}
