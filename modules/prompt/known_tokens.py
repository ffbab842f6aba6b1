"""Texts whose tokens are known already: prompts with the replies that the model gave to them.

A reply is not always written in the tokens that its text is read in: constraints spell control tokens, and a model may
divide words in another way. Read anew, such a reply would not be found in the cache, nor anything after it.
"""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from modules.engine.protocols import Engine
from modules.text.control_tokens import ControlTexts

_MOST_CHARACTERS: Final = 8 * 1024 * 1024
_MOST_TEXTS: Final = 64
# Compared first: of the prompts of one conversation most begin alike.
_NEAR: Final = 64
_LONGEST_CONTROL: Final = 256


@dataclass(slots=True, eq=False)
class KnownText:
    """`text` is that of a prompt and a reply, the last `reply` characters; `tokens` are those of both, of the reply the last
    `written`. `is_sure` once the reply's tokens have been found to say its text. One that `ends_call` was ended behind a
    whole call, before the marks that close it."""

    text: str = field(repr=False)
    tokens: "array[int]" = field(repr=False)
    reply: int
    written: int
    ends_call: bool = False
    is_sure: bool = False


class KnownTokens:
    """Those of one model; the ones that were used last are kept."""

    def __init__(self, most: int = _MOST_CHARACTERS) -> None:
        self._most = most
        self._size = 0
        self._texts: OrderedDict[int, KnownText] = OrderedDict()
        self._next = 0

    @property
    def size(self) -> int:
        """What is kept, in characters."""
        return self._size

    def note(
        self, prompt: str, tokens: Sequence[int], reply: str, written: Sequence[int], *, ends_call: bool = False
    ) -> None:
        """That the model went on from `prompt`, which was read as `tokens`, with `reply`, written as `written`."""
        if not written or len(prompt) + len(reply) > self._most // 2:
            return
        known = KnownText(prompt + reply, array("i", [*tokens, *written]), len(reply), len(written), ends_call)
        self._texts[self._next] = known
        self._next += 1
        self._size += len(known.text)
        while self._size > self._most or len(self._texts) > _MOST_TEXTS:
            self._forget(next(iter(self._texts)))

    async def beginning(self, engine: Engine, text: str, controls: ControlTexts) -> KnownText | None:
        """The longest known text that `text` goes on from with a control token, or behind a whole call with anything:
        elsewhere, tokens may reach across the place where a reply ended. Of a reply that goes on in another way, what
        stands before that: a model may have said more than was told."""
        found = [(place, key) for key, known in self._texts.items() if (place := _shared(text, known, controls))]
        for place, key in sorted(found, reverse=True):
            known = self._texts.get(key)
            if known is None:
                continue
            begun = await _begun(engine, known, place)
            if begun is not None:
                if key in self._texts:
                    self._texts.move_to_end(key)
                return begun
            if place == len(known.text):
                self._forget(key)
        return None

    def _forget(self, key: int) -> None:
        known = self._texts.pop(key, None)
        self._size -= len(known.text) if known else 0


def _shared(text: str, known: KnownText, controls: ControlTexts) -> int:
    """Up to where `text` may be read in the tokens of `known`; 0 for nowhere."""
    place = len(known.text)
    # What closes a call is written by the template, in the model's place: it never ends within a word of the reply.
    is_parted = (known.ends_call and place < len(text)) or controls.begins_at(text, place)
    if is_parted and text.startswith(known.text):
        return place
    start = place - known.reply
    near = max(0, start - _NEAR)
    if text[near:start] != known.text[near:start] or text[:start] != known.text[:start]:
        return 0
    pairs = enumerate(zip(text[start:place], known.text[start:], strict=False))
    same = next((index for index, (a, b) in pairs if a != b), min(known.reply, len(text) - start))
    # The last one decides: a reply may have control tokens within it.
    ends = controls.starts(text[start : start + same + _LONGEST_CONTROL])
    end = max((end for end in ends if end <= same), default=0)
    return start + end if end else 0


async def _begun(engine: Engine, known: KnownText, place: int) -> KnownText | None:
    """`known` up to that place of its text; None where no token ends there: within the token that a stop sequence began
    in, or where control tokens printed nothing."""
    is_whole = place == len(known.text)
    if known.is_sure and is_whole:
        return known
    first = len(known.tokens) - known.written
    wanted = known.text[len(known.text) - known.reply : place]
    if is_whole and await engine.detokenize(known.tokens[first:].tolist()) == wanted:
        known.is_sure = True
        return known
    low, high = 0, known.written
    while low < high:
        middle = (low + high) // 2
        said = await engine.detokenize(known.tokens[first : first + middle].tolist())
        low, high = (middle + 1, high) if len(said) < len(wanted) else (low, middle)
    if await engine.detokenize(known.tokens[first : first + low].tolist()) != wanted:
        return None
    return KnownText(known.text[:place], known.tokens[: first + low], len(wanted), low, is_sure=True)
