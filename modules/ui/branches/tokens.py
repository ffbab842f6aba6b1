"""A reply's tokens with their probabilities, as the page shows them.

Also how a reply begins that takes another one. Pure.
"""

import json
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from modules.errors import BadRequest
from modules.library.chats.history import ChatTurn
from modules.library.chats.probabilities import ScoredToken, packed, unpacked
from modules.ui.replies.draft import ReplyDraft, divided, thought_place, word_place
from modules.ui.replies.marks import Part

_GONE: Final = "That word is not there any more. Reload the page."
_SPLIT: Final = "That token is only a part of a character and cannot be taken by itself."

# A text with the logarithm of its probability, where it begins, and the candidates of its place: text, logarithm, and
# whether it ends the reply.
_Piece: TypeAlias = tuple[str, float | None, int, list[tuple[str | None, float, bool]]]


def key_of(turn: ChatTurn, part: Part) -> str:
    """Another one for other tokens; empty where the part of the reply has none."""
    if not turn.probabilities or part is Part.TOOL:
        return ""
    return f"{zlib.crc32(turn.probabilities.encode('utf-8', 'surrogatepass')):08x}{part.value[:2]}"


def pieces_of(turn: ChatTurn, part: Part, control_tokens: Collection[str]) -> list[_Piece]:
    """The part's text in order, each piece with the tokens that begin there; several of one character are one piece."""
    begin, end = _range(turn.text, part)
    groups = _grouped(token for token in unpacked(turn.probabilities) if begin <= token.start < end)
    pieces: list[_Piece] = []
    if (groups and groups[0].start > begin) or (not groups and end > begin):
        pieces.append((turn.text[begin : groups[0].start if groups else end], None, begin, []))
    for number, token in enumerate(groups):
        behind = groups[number + 1].start if number + 1 < len(groups) else end
        candidates = [(text, logprob, text in control_tokens) for text, logprob in token.candidates]
        pieces.append((turn.text[token.start : behind], token.logprob, token.start, candidates))
    return pieces


@dataclass(frozen=True, slots=True)
class Taken:
    """The beginning of a reply that has another token at one place; with `is_end` there is nothing to come."""

    text: str
    draft: ReplyDraft
    is_end: bool = False


def taken(turn: ChatTurn, start: object, number: object, control_tokens: Collection[str]) -> Taken:
    """The reply up to the token at `start`, with its candidate of that number. Raises BadRequest."""
    tokens = unpacked(turn.probabilities)
    token = next((each for each in tokens if each.start == start), None)
    if token is None or not isinstance(number, int) or not 0 <= number < len(token.candidates):
        raise BadRequest(_GONE)
    text, logprob = token.candidates[number]
    if text is None:
        raise BadRequest(_SPLIT)
    is_end = text in control_tokens
    whole = turn.text[: token.start] + ("" if is_end else text)
    before = [each for each in tokens if each.start < token.start]
    kept = packed([*before, *([] if is_end else [replace(token, logprob=logprob)])])
    return Taken(whole, _begun(turn, token.start, whole, kept), is_end)


def _begun(turn: ChatTurn, start: int, whole: str, kept: str) -> ReplyDraft:
    reasoning, content = divided(turn.text)
    words = word_place(reasoning, content)
    if start >= words or not reasoning:
        said = ReplyDraft(reasoning=reasoning, content=whole[words:])
    else:
        said = ReplyDraft(reasoning=whole[thought_place(reasoning, content) :])
    return replace(said, tool_messages=turn.tool_messages, model=turn.model, probabilities=kept)


def _range(text: str, part: Part) -> tuple[int, int]:
    """Where in a reply's text the part stands."""
    reasoning, content = divided(text)
    if part is Part.TEXT:
        return len(text) - len(content), len(text)
    begin = max(0, text.find(reasoning))
    return begin, begin + len(reasoning)


def _grouped(tokens: Iterator[ScoredToken]) -> Sequence[ScoredToken]:
    """One for each place: tokens that are parts of one character are as likely as all of them together."""
    groups: list[ScoredToken] = []
    for token in tokens:
        if groups and groups[-1].start == token.start:
            groups[-1] = replace(groups[-1], logprob=groups[-1].logprob + token.logprob)
        else:
            groups.append(token)
    return groups


def tokens_text(pieces: dict[str, list[_Piece]]) -> str:
    """For the page's script, by key."""
    return json.dumps({"tokens": pieces}, ensure_ascii=False)
