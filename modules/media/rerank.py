"""How well documents answer a query, by a rerank model, an embedding model or a chat model."""

import math
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from operator import mul
from typing import Final

from modules.engine.protocols import Engine
from modules.engine.types import Generation, ModelKind, Prompt, TokenLogprob
from modules.errors import BadRequest, EngineFailed
from modules.media.texts import Truncation, cut, each, embedding, rows, too_long, vector_of
from modules.messages import Role, text_message
from modules.models.pool import ModelPool
from modules.prompt.builder import PromptBuilder
from modules.requests import ChatRequest, Limits
from modules.sampling import Sampling

# A query may fill so much of what a rerank model reads; the document is cut to what is left.
_QUERY_SHARE: Final = 0.5
_ALTERNATIVES: Final = 100
_ROOM_FOR_QUESTION: Final = 160
_CLASSES: Final = 2
# The wording that Qwen3-Reranker was trained with; other chat models understand it as well.
_JUDGE: Final = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
_QUESTION: Final = (
    "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n\n"
    "<Query>: {query}\n\n<Document>: {document}"
)
_SMALLEST: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """Pairs of a query and a document, of which the model reads `max_tokens` at most. `is_raw` leaves scores as the model
    computes them."""

    model: str | None
    pairs: tuple[tuple[str, str], ...]
    is_raw: bool = False
    truncation: Truncation = Truncation.END
    max_tokens: int | None = None
    keep_alive: float | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """One for each pair, from 0 to 1 if they are not raw. `model` says how they came about where it is no rerank model."""

    model: str
    values: tuple[float, ...]
    prompt_tokens: int


class RerankService:
    def __init__(self, models: ModelPool, prompts: PromptBuilder) -> None:
        self._models = models
        self._prompts = prompts

    async def score(self, request: ScoreRequest) -> Scores:
        """With the model that is named, one for reranking, embedding or chat; any other name means the rerank model.
        Raises BadRequest, NotInstalled, LoadFailed, NoRoom, Busy, EngineFailed."""
        kind = await self._models.kind_named(request.model) or ModelKind.RERANK
        if (
            kind is ModelKind.MODERATION
            or kind is ModelKind.IMAGE
            or kind is ModelKind.SPEECH
            or kind is ModelKind.TRANSCRIPTION
        ):
            raise BadRequest(f"{str(request.model)[:200]} is a model for {kind}; it scores no texts.", param="model")
        async with self._models.lease(request.model, kind=kind, keep_alive=request.keep_alive) as engine:
            if kind is ModelKind.RERANK:
                return await _by_pairs(engine, request)
            if kind is ModelKind.EMBEDDING:
                return await _by_cosine(engine, request)
            return await self._by_answers(engine, request)

    async def _by_answers(self, engine: Engine, request: ScoreRequest) -> Scores:
        """The share of "yes" among yes and no in what a chat model would say first. The query stands before the document,
        so that the prefix cache serves all documents."""
        yes, no = [await _first_tokens(engine, word) for word in ("yes", "no")]

        async def judged(pair: tuple[str, str]) -> tuple[float, int]:
            prompt = await self._question(engine, pair, request)
            return _share(await _next_token(engine, prompt), yes, no), len(prompt.tokens)

        found = await each(request.pairs, judged)
        values = [_logit(share) if request.is_raw else share for share, _ in found]
        return Scores(f"{engine.card.name} (yes/no)", tuple(values), sum(count for _, count in found))

    async def _question(self, engine: Engine, pair: tuple[str, str], request: ScoreRequest) -> Prompt:
        query, document = pair
        room = min(request.max_tokens or engine.card.context, engine.card.context) - _ROOM_FOR_QUESTION
        asked = await engine.tokenize(query, special=False)
        read = await engine.tokenize(document, special=False)
        kept = cut(read, _room_beside(len(asked), room), request.truncation)
        if len(kept) < len(read):
            document = await engine.detokenize(kept)
        messages = (
            text_message(Role.SYSTEM, _JUDGE),
            text_message(Role.USER, _QUESTION.format(query=query, document=document)),
        )
        limits = Limits(max_tokens=1)
        chat = ChatRequest(model=None, messages=messages, limits=limits, template_arguments={"enable_thinking": False})
        return (await self._prompts.chat(engine, chat)).prompt


async def _by_pairs(engine: Engine, request: ScoreRequest) -> Scores:
    begin, middle, end = engine.card.pair_frame
    frame = len(begin) + len(middle) + len(end)
    room = min(request.max_tokens or engine.card.context, engine.card.context) - frame

    async def framed(pair: tuple[str, str]) -> Generation:
        query, document = [await engine.tokenize(text, special=False) for text in pair]
        kept = cut(document, _room_beside(len(query), room), request.truncation)
        return embedding((*begin, *query, *middle, *kept, *end))

    prompts = await each(request.pairs, framed)
    logits = [vector_of(row) for row in await rows(engine, prompts)]
    values = tuple(_score(row, is_raw=request.is_raw) for row in logits)
    return Scores(engine.card.name, values, _count(prompts))


async def _by_cosine(engine: Engine, request: ScoreRequest) -> Scores:
    begin, end = engine.card.embedding_frame
    room = min(request.max_tokens or engine.card.context, engine.card.context) - len(begin) - len(end)

    async def framed(text: str) -> Generation:
        tokens = cut(await engine.tokenize(text, special=False), room, request.truncation)
        return embedding((*begin, *tokens, *end))

    texts = list(dict.fromkeys(text for pair in request.pairs for text in pair))
    prompts = await each(texts, framed)
    vectors = dict(zip(texts, map(vector_of, await rows(engine, prompts)), strict=True))
    cosines = [sum(map(mul, vectors[query], vectors[document])) for query, document in request.pairs]
    values = cosines if request.is_raw else [min(1.0, max(0.0, (1 + cosine) / 2)) for cosine in cosines]
    return Scores(f"{engine.card.name} (cosine)", tuple(values), _count(prompts))


def _room_beside(query: int, room: int) -> int:
    """For a document. Raises BadRequest when the query leaves too little."""
    most = int(room * _QUERY_SHARE)
    if query > most:
        raise too_long(query, max(0, most), "query")
    return room - query


def _score(logits: Sequence[float], *, is_raw: bool) -> float:
    """A single logit becomes a probability by itself; of two classes the second says that the document answers."""
    value = logits[1] - logits[0] if len(logits) == _CLASSES else logits[0]
    return value if is_raw else _sigmoid(value)


def _sigmoid(value: float) -> float:
    if value < 0:
        return math.exp(max(value, -700.0)) / (1 + math.exp(max(value, -700.0)))
    return 1 / (1 + math.exp(-value))


def _logit(share: float) -> float:
    return math.log(max(share, _SMALLEST)) - math.log(max(1 - share, _SMALLEST))


def _share(scored: TokenLogprob, yes: frozenset[int], no: frozenset[int]) -> float:
    """Of `yes` in both. What is not among the likely tokens counts as the least likely of them."""
    likely = {alternative.token: math.exp(alternative.logprob) for alternative in scored.top}
    least = min(likely.values(), default=_SMALLEST)
    for_yes, for_no = [sum(likely.get(token, 0.0) for token in tokens) or least for tokens in (yes, no)]
    return for_yes / (for_yes + for_no)


async def _first_tokens(engine: Engine, word: str) -> frozenset[int]:
    """Of the ways to begin an answer with the word."""
    spellings = (word, word.capitalize(), f" {word}", f" {word.capitalize()}")
    return frozenset([(await engine.tokenize(spelling, special=False))[0] for spelling in spellings])


async def _next_token(engine: Engine, prompt: Prompt) -> TokenLogprob:
    generation = Generation(prompt=prompt, sampling=Sampling(temperature=0), max_tokens=1, logprobs=_ALTERNATIVES)
    async with aclosing(engine.generate(generation)) as chunks:
        async for chunk in chunks:
            if scored := next(iter((*chunk.logprobs, *filter(None, [chunk.end_logprob]))), None):
                return scored
    raise EngineFailed("The model gave no probabilities for its answer.")


def _count(prompts: Sequence[Generation]) -> int:
    return sum(len(prompt.prompt.tokens) for prompt in prompts)
