"""Guesses that a reply goes on as a text did after the same tokens.

The texts are its prompt, itself, and what the request predicts.
Prompt lookup decoding, with the longest agreement in place of a fixed one. Places are found as in LZ77: chains of places
after the same two tokens, the latest first.
"""

from collections.abc import Container, Sequence
from typing import Final

from modules.backends.llamacpp.speculation.rates import LONGEST, Rates
from modules.backends.llamacpp.speculation.source import Draft
from modules.engine.protocols import Drafter

# A long prompt is looked through in several steps: other replies wait meanwhile.
_READ_TOKENS: Final = 4096
# Places that are compared for one guess.
_PLACES: Final = 16
# So long an agreement is not given up for another place.
_SURE: Final = 12
# A reply that copied so many tokens and then departs may have replaced a single one.
_COPIED: Final = 8
# How far behind the place where the last guess failed a text is taken up again.
_REACH: Final = 64
_BACK: Final = 4
# Beyond, a draft is hardly ever right to its end.
_LEAST: Final = 0.05
_NOWHERE: Final = -1
# Between a prediction and the prompt: no token.
_BORDER: Final = -1


class Lookup:
    """One reply's texts. With `reads_reply` False only the `prediction` is looked at. Nothing is guessed from one of the
    `ends` on, which end a reply."""

    def __init__(
        self,
        rates: Rates,
        prediction: Sequence[int] = (),
        *,
        reads_reply: bool = True,
        ends: Container[int] = frozenset(),
    ) -> None:
        self._rates = rates
        self._reads_reply = reads_reply
        self._ends = ends
        self._tokens: list[int] = []
        self._last: dict[tuple[int, int], int] = {}
        self._previous: list[int] = []
        self._read = 0
        self._is_open = True
        for token in prediction:
            self._append(token)
        self._predicted = len(prediction)
        self._is_open = reads_reply
        self._append(_BORDER)
        # A prediction is taken to be right from its beginning.
        self._place, self._length, self._is_near = (0, 1, True) if prediction else (_NOWHERE, 0, False)
        self._anchor = 0 if prediction else -_REACH

    def read(self, tokens: Sequence[int], prompt_length: int) -> None:
        """`tokens` are the prompt and what was said so far."""
        end = min(len(tokens), self._read + _READ_TOKENS)
        for at in range(self._read, end):
            token = tokens[at]
            if at < prompt_length:
                self._append(token)
            else:
                if at == prompt_length and not self._predicted:
                    self._aim()
                self._check(token)
                self._append(token)
                self._aim()
        self._read = end

    def propose(self, most: int) -> Draft:
        """What comes next, as far as it is likely; nothing while the text has not been read to its end."""
        place, tokens = self._place, self._tokens
        if place == _NOWHERE:
            return Draft()
        found: list[int] = []
        chances: list[float] = []
        drafters: list[Drafter] = []
        # What has been repeated up to here goes on in a circle.
        period = len(tokens) - place
        whole = 1.0
        for ahead in range(most):
            at = place + ahead % period
            chance = self._rates.of(self._length + ahead, near=self._is_near)
            whole *= chance
            if tokens[at] < 0 or whole < _LEAST or tokens[at] in self._ends:
                break
            found.append(tokens[at])
            chances.append(chance)
            drafters.append(Drafter.PREDICTION if at < self._predicted else Drafter.NGRAM)
        return Draft(tuple(found), tuple(chances), tuple(drafters))

    def has_read(self, length: int) -> bool:
        return self._read == length

    def _append(self, token: int) -> None:
        tokens = self._tokens
        before = _NOWHERE
        if self._is_open and len(tokens) > 1:
            key = (tokens[-2], tokens[-1])
            before = self._last.get(key, _NOWHERE)
            self._last[key] = len(tokens)
        self._previous.append(before)
        tokens.append(token)

    def _check(self, token: int) -> None:
        """Compare the guess with what was said."""
        if self._place == _NOWHERE:
            return
        is_right = self._tokens[self._place] == token
        self._rates.learn(self._length, near=self._is_near, is_right=is_right)
        if is_right:
            self._place += 1
            self._length += 1
            return
        may_be_replaced = self._length >= _COPIED
        if may_be_replaced:
            self._anchor = self._place
        self._place = self._place + 1 if may_be_replaced else _NOWHERE
        self._length, self._is_near = 0, may_be_replaced

    def _aim(self) -> None:
        """Choose the place after which the guess is likeliest."""
        if self._place >= len(self._tokens):
            self._place = _NOWHERE
        if self._place != _NOWHERE and self._length >= _SURE:
            return
        tokens = self._tokens
        best = 0.0 if self._place == _NOWHERE else self._rates.of(self._length, near=self._is_near)
        place = self._last.get((tokens[-2], tokens[-1]), _NOWHERE) if len(tokens) > 1 else _NOWHERE
        for _ in range(_PLACES):
            if place == _NOWHERE:
                break
            length = self._agreement(place)
            near = -_BACK <= place - self._anchor <= _REACH
            chance = self._rates.of(length, near=near)
            if chance > best:
                best, self._place, self._length, self._is_near = chance, place, length, near
            place = self._previous[place]

    def _agreement(self, place: int) -> int:
        """How many tokens before `place` are those before the end, back to the end of a turn: replies that begin after the
        same words need not be the same."""
        tokens, shift = self._tokens, len(self._tokens) - place
        length = 1
        while length < min(LONGEST, place) and tokens[place - length] not in self._ends:
            if tokens[place - length - 1] != tokens[place + shift - length - 1]:
                break
            length += 1
        return length
