"""The probabilities of a reply's tokens, as its events bring them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from modules.events import Content, Reasoning
from modules.library.chats.probabilities import ScoredToken
from modules.reply.gather import ChoiceAccumulator


class TokenScores:
    """The tokens of what a model says, where logprobs were asked for, by their places in thoughts and in words."""

    def __init__(self) -> None:
        self._thoughts: list[ScoredToken] = []
        self._words: list[ScoredToken] = []
        self._thought = 0
        self._told = 0

    def add(self, event: object, said: ChoiceAccumulator) -> None:
        """`said` has the event already."""
        match event:
            case Reasoning():
                self._thoughts += _scored(event, self._thought)
                self._thought += len(event.text)
            case Content():
                self._words += _scored(event, self._told)
                # Extensions may change the words; the tokens are those of what the model said.
                self._told = len(said.text if said.drafted is None else said.drafted)

    def placed(self, thoughts: int, words: int) -> tuple[ScoredToken, ...]:
        """All of them, in a text in which thoughts and words begin at these characters."""
        return (*_moved(self._thoughts, thoughts), *_moved(self._words, words))


def _scored(event: Content | Reasoning, place: int) -> Iterator[ScoredToken]:
    for start, scored in zip(event.starts, event.logprobs, strict=False):
        yield ScoredToken(
            place + start, scored.logprob, tuple((_whole(each.data), each.logprob) for each in scored.top)
        )


def _whole(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _moved(tokens: Sequence[ScoredToken], by: int) -> Iterator[ScoredToken]:
    return (replace(token, start=max(0, token.start + by)) for token in tokens)
