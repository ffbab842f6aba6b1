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
        elsewhere, tokens may reach across the place where a reply ended."""
        found = [key for key, known in self._texts.items() if _goes_on(text, known, controls)]
        for key in sorted(found, key=lambda key: len(self._texts[key].text), reverse=True):
            known = self._texts[key]
            if known.is_sure or await _says_its_text(engine, known):
                known.is_sure = True
                if key in self._texts:
                    self._texts.move_to_end(key)
                return known
            self._forget(key)
        return None

    def _forget(self, key: int) -> None:
        known = self._texts.pop(key, None)
        self._size -= len(known.text) if known else 0


def _goes_on(text: str, known: KnownText, controls: ControlTexts) -> bool:
    place = len(known.text)
    # What closes a call is written by the template, in the model's place: it never ends within a word of the reply.
    is_parted = (known.ends_call and place < len(text)) or controls.begins_at(text, place)
    return is_parted and text.startswith(known.text)


async def _says_its_text(engine: Engine, known: KnownText) -> bool:
    """Not where a stop sequence was cut off, or where control tokens printed nothing."""
    written = known.tokens[len(known.tokens) - known.written :]
    return await engine.detokenize(written.tolist()) == known.text[len(known.text) - known.reply :]
