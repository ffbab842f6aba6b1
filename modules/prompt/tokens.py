"""Prompt text → token ids: control tokens, BOS, infill, and whether the prompt fits the context."""

import re
from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from modules.engine.protocols import Engine
from modules.engine.types import ModelCard, Prompt
from modules.errors import BadRequest, ContextTooLong, NotSupported
from modules.prompt.templates.shape import OWN
from modules.requests import MARKER
from modules.text.control_tokens import ControlTexts

# Where a request states no length, a prompt may not leave a reply of a few words only.
_RESERVED_FOR_REPLY: Final = 512


def fitted(card: ModelCard, tokens: Sequence[int], *, param: str, room: int = 1) -> Prompt:
    """A prompt that leaves room for at least `room` tokens of reply. Raises BadRequest (empty), ContextTooLong."""
    if not tokens:
        raise BadRequest("The prompt is empty.", param=param)
    if not fits(card, len(tokens), room):
        raise ContextTooLong(prompt_tokens=len(tokens), context=card.context, param=param)
    return Prompt(tuple(tokens))


def reply_limit(card: ModelCard, prompt: Prompt, wanted: int | None) -> int:
    """The most tokens the reply can have: what was asked for, as far as the context goes."""
    left = card.context - len(prompt.tokens)
    return left if wanted is None else min(wanted, left)


def fits(card: ModelCard, tokens: int, room: int) -> bool:
    return tokens + room <= card.context


def reserved_room(card: ModelCard, wanted: int | None) -> int:
    """How many tokens of reply turns are left out for: what was asked for, but never most of the context."""
    return max(1, min(_RESERVED_FOR_REPLY if wanted is None else wanted, card.context // 2))


# Unicode noncharacters are reserved for use inside a program; in text from outside they mean nothing and are removed.
CUT: Final = "\ufdd0"
# Noncharacters (Unicode 23.7), which no text contains for interchange.
PLACE: Final = "\ufdd1"
USER_NAME: Final = "\ufdd2"
BOT_NAME: Final = "\ufdd3"
# A picture's or a sound's place: the mark, and its number in digits of our own.
MEDIA: Final = "\ufdd4"
_DIGITS: Final = tuple(map(chr, range(0xFDE0, 0xFDEA)))
_RESERVED: Final = MappingProxyType(
    {ord(each): None for each in (CUT, PLACE, USER_NAME, BOT_NAME, MEDIA, OWN, *_DIGITS)}
)
_MEDIA_PLACE: Final = re.compile(f"{MEDIA}([{_DIGITS[0]}-{_DIGITS[-1]}]+)")


def media_place(number: int) -> str:
    """What stands for the picture or sound of that number in a text that is yet to be tokenized."""
    return MEDIA + "".join(_DIGITS[int(digit)] for digit in str(number))


def is_media_place(text: str) -> bool:
    return _MEDIA_PLACE.fullmatch(text) is not None


def media_places(text: str) -> list[int]:
    """The numbers of the pictures and sounds in `text`, in order."""
    return [_number(found.group(1)) for found in _MEDIA_PLACE.finditer(text)]


def with_markers(text: str) -> str:
    """`text` with what a person would read where a picture or a sound stands."""
    return _MEDIA_PLACE.sub(MARKER, text)


def with_places_again(changed: str, text: str) -> str:
    """`changed`, a new version of `with_markers(text)`, with the places of `text`. Raises BadRequest where it has not as
    many markers."""
    marks = re.compile(f"{re.escape(MARKER)}|{_MEDIA_PLACE.pattern}")
    originals = [found.group() for found in marks.finditer(text)]
    if changed.count(MARKER) != len(originals):
        raise BadRequest("An extension has taken a picture or a sound out of the prompt.", param="messages")
    remaining = iter(originals)
    return re.sub(re.escape(MARKER), lambda _: next(remaining), changed)


def _number(digits: str) -> int:
    return int("".join(str(_DIGITS.index(digit)) for digit in digits))


def cut(text: str, controls: ControlTexts) -> str:
    """`text` with CUT inside every control text in it; `tokenize` reads it as the letters that it is made of."""
    # A text of one character cannot be cut apart, so it is removed.
    clean = text.translate({**_RESERVED, **controls.letters})
    places = [0, *(start + 1 for start in controls.starts(clean)), len(clean)]
    return CUT.join(clean[start:end] for start, end in pairwise(places))


def without_reserved(text: str) -> str:
    return text.translate(_RESERVED)


def with_cuts_of(text: str, changed: str) -> str:
    """`changed`, a new version of `text` without reserved characters, with those of `text` where the two agree: in what
    they begin and end with."""
    clean = without_reserved(text)
    start = _agreeing(clean, changed)
    if start == len(clean) == len(changed):
        return text
    rest = min(len(clean), len(changed)) - start
    end = min(rest, _agreeing(clean[::-1], changed[::-1]))
    places = [place for place, letter in enumerate(text) if ord(letter) not in _RESERVED]
    head = text[: places[start]] if start < len(places) else text
    tail = text[places[len(places) - end - 1] + 1 :] if end < len(places) else text
    return head + changed[start : len(changed) - end] + tail if end else head + changed[start:]


async def tokenize(engine: Engine, text: str, *, param: str, special: bool = True) -> list[int]:
    """Token ids, with control texts as control tokens except where CUT divides them, or nowhere without `special`.

    Raises BadRequest for lone surrogates, which no tokenizer can read.
    """
    if not _is_encodable(text):
        raise BadRequest("The text contains a lone surrogate, which is not a Unicode character.", param=param)
    tokens: list[int] = []
    for piece in filter(None, text.split(CUT)):
        tokens += await engine.tokenize(piece, special=special)
    return tokens


async def tokenize_mixed(engine: Engine, text: str, media: Sequence[Sequence[int]], *, param: str) -> list[int]:
    """As `tokenize`, with the tokens of `media` at the places of their numbers."""
    tokens: list[int] = []
    rest = 0
    for found in _MEDIA_PLACE.finditer(text):
        tokens += await tokenize(engine, text[rest : found.start()], param=param)
        tokens += media[_number(found.group(1))]
        rest = found.end()
    return tokens + await tokenize(engine, text[rest:], param=param)


def with_bos(card: ModelCard, tokens: list[int]) -> list[int]:
    """One BOS in front where the model wants one, and never two."""
    # Many templates write BOS themselves, and a second one makes replies worse.
    if not card.adds_bos or card.bos_id is None or tokens[:1] == [card.bos_id]:
        return tokens
    return [card.bos_id, *tokens]


def checked_ids(card: ModelCard, tokens: Sequence[int], *, param: str) -> list[int]:
    """Token ids from outside. Raises BadRequest for one that the model does not have."""
    for token in tokens:
        if not 0 <= token < card.vocabulary:
            raise BadRequest(f"{token} is not a token id of this model (0 to {card.vocabulary - 1}).", param=param)
    return list(tokens)


def _agreeing(one: str, other: str) -> int:
    """How many letters they have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def infill_tokens(card: ModelCard, before: list[int], after: list[int]) -> list[int]:
    """The middle follows the last token. Raises NotSupported for a model that has no such tokens."""
    if card.infill_tokens is None:
        raise NotSupported(
            "The loaded model cannot fill in text before a suffix; it has no tokens for that. Leave suffix out, or load "
            "a model that has them, such as a coder model.",
            param="suffix",
        )
    prefix, suffix, middle = card.infill_tokens
    return [prefix, *before, suffix, *after, middle]
