"""POST /v1/rerank and its other paths, and /v1/score, in the shapes of Jina, Cohere, vLLM and TEI."""

import time
import uuid
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from extensions.openai.common.context import CurrentCaller
from extensions.openai.common.field_types import MAX_COUNT, Anything, RequestModel, Seconds
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.program import program_of
from extensions.openai.common.stream import while_connected
from modules.errors import BadRequest
from modules.media.rerank import ScoreRequest, Scores
from modules.media.texts import Truncation

router = APIRouter(tags=["Rerank"], route_class=JsonRoute)

_MAX_DOCUMENTS: Final = 1000
_MAX_PAIRS: Final = 2048
_COHERE_2: Final = "/v2/rerank"
_PATHS: Final = ("/v1/rerank", "/rerank", "/v1/reranking", "/reranking")

Text = Annotated[str, Field(max_length=2**24)]
Document = Text | dict[str, Any]
TopN = Annotated[int, Field(le=MAX_COUNT)]


class RerankRequest(RequestModel):
    """The body of a request that orders documents. With `texts` the answer is TEI's list."""

    query: Text = Field(description="What the documents are to answer.")
    documents: list[Document] | None = Field(None, description="Texts, or objects with a `text`.")
    texts: list[Text] | None = Field(None, description="The same, in TEI's form.")
    model: str | None = Field(
        None,
        description="A rerank model; any other name means the default one. An embedding model ranks by cosine, a chat "
        "model by its yes or no.",
    )
    top_n: TopN | None = Field(None, description="How many of the best to answer; all without it, and with 0.")
    top_k: TopN | None = Field(None, description="The same, in Voyage's form.")
    return_documents: bool | None = Field(None, description="Whether results hold their text: yes, except on /v2.")
    return_text: bool = Field(False, description="The same for TEI's list.")
    raw_scores: bool = Field(False, description="Scores as the model computes them, in place of 0 to 1.")
    use_activation: bool | None = Field(None, description="False is the same as raw_scores.")
    rank_fields: list[str] | None = Field(None, description="Which fields of an object are its text.")
    max_tokens_per_doc: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = Field(
        None, description="Query and document are cut to so many tokens."
    )
    truncate: bool | None = Field(None, description="False refuses what is longer than the model reads.")
    truncate_prompt_tokens: Annotated[int, Field(ge=-1, le=MAX_COUNT)] | None = Field(
        None, description="The same as max_tokens_per_doc; -1 for what the model reads."
    )
    truncation: bool | None = Field(None, description="The same as truncate.")
    keep_alive: Seconds | None = Field(None, description="As in a chat.")
    ttl: Seconds | None = Field(None, description="The same as keep_alive.")
    instruction: Anything = Field(None, description="Accepted, without effect.")
    user: Anything = Field(None, description="Accepted, without effect.")

    @property
    def kept(self) -> int | None:
        """How many results are asked for."""
        return self.top_n if self.top_n is not None else self.top_k

    @property
    def is_raw(self) -> bool:
        return self.raw_scores or self.use_activation is False

    @property
    def truncates(self) -> bool:
        return self.truncate is not False and self.truncation is not False

    @property
    def tokens(self) -> int | None:
        limits = (self.max_tokens_per_doc, self.truncate_prompt_tokens)
        return next((limit for limit in limits if limit is not None and limit > 0), None)


class RerankResult(BaseModel):
    index: int
    relevance_score: float
    document: dict[str, str] | None = None


class RerankUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class RerankResponse(BaseModel):
    """The best first; ties by index."""

    id: str
    model: str
    object: str = "list"
    usage: RerankUsage
    meta: dict[str, Any]
    results: list[RerankResult]


class ScorePairsRequest(RequestModel):
    """vLLM's: one text against one or many, or as many as there are. Each name on the right means the one on the left."""

    text_1: Text | list[Text] | None = Field(None, description="A query, or a list of them. Also queries and data_1.")
    text_2: Text | list[Text] | None = Field(None, description="Documents. Also documents and data_2.")
    queries: Text | list[Text] | None = Field(None, description="text_1.")
    documents: Text | list[Text] | None = Field(None, description="text_2.")
    data_1: Text | list[Text] | None = Field(None, description="text_1.")
    data_2: Text | list[Text] | None = Field(None, description="text_2.")
    model: str | None = Field(None, description="As for /v1/rerank.")
    use_activation: bool | None = Field(None, description="False gives scores as the model computes them.")
    truncate_prompt_tokens: Annotated[int, Field(ge=-1, le=MAX_COUNT)] | None = Field(
        None, description="Pairs are cut to so many tokens."
    )
    keep_alive: Seconds | None = Field(None, description="As in a chat.")
    ttl: Seconds | None = Field(None, description="The same as keep_alive.")

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Raises BadRequest when the two lists do not go together."""
        first = _texts(self.text_1, self.queries, self.data_1, param="text_1")
        second = _texts(self.text_2, self.documents, self.data_2, param="text_2")
        if len(first) == 1:
            first = first * len(second)
        if len(first) != len(second):
            raise BadRequest(
                f"text_1 has {len(first)} texts and text_2 {len(second)}. Send one text_1, or as many as text_2 has.",
                param="text_2",
            )
        if len(first) > _MAX_PAIRS:
            raise BadRequest(f"A request can have {_MAX_PAIRS} pairs at most.", param="text_2")
        return tuple(zip(first, second, strict=True))


class ScoreResult(BaseModel):
    index: int
    object: str = "score"
    score: float


class ScoreResponse(BaseModel):
    id: str
    object: str = "list"
    created: int
    model: str
    data: list[ScoreResult]
    usage: RerankUsage


async def rerank(body: RerankRequest, caller: CurrentCaller) -> Response:
    """Orders documents by how well they answer a query."""
    return await _ranked(body, caller, with_documents=True)


@router.post(_COHERE_2, responses={200: {"model": RerankResponse}})
async def rerank_like_cohere_2(body: RerankRequest, caller: CurrentCaller) -> Response:
    """The same; results hold no text unless they are asked to."""
    return await _ranked(body, caller, with_documents=False)


for _path in _PATHS:
    router.add_api_route(
        _path,
        rerank,
        methods=["POST"],
        responses={200: {"model": RerankResponse}},
        include_in_schema=_path == "/v1/rerank",
    )


@router.post("/score", include_in_schema=False)
@router.post("/v1/score", responses={200: {"model": ScoreResponse}})
async def score(body: ScorePairsRequest, caller: CurrentCaller) -> Response:
    """How well texts answer others."""
    limit = body.truncate_prompt_tokens
    request = ScoreRequest(
        model=body.model,
        pairs=body.pairs,
        is_raw=body.use_activation is False,
        max_tokens=limit if limit and limit > 0 else None,
        keep_alive=body.ttl if body.keep_alive is None else body.keep_alive,
    )
    found = await while_connected(caller, program_of(caller.context).rerank.score(request))
    data = [ScoreResult(index=index, score=value) for index, value in enumerate(found.values)]
    answer = ScoreResponse(
        id=f"score-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=found.model,
        data=data,
        usage=_usage(found),
    )
    return _json(answer.model_dump(exclude_none=True))


async def _ranked(body: RerankRequest, caller: CurrentCaller, *, with_documents: bool) -> Response:
    texts = _documents(body)
    if body.kept is not None and body.kept < 0:
        raise BadRequest("top_n must be 0, for all, or more.", param="top_n")
    request = ScoreRequest(
        model=body.model,
        pairs=tuple((body.query, text) for text in texts),
        is_raw=body.is_raw,
        truncation=Truncation.END if body.truncates else Truncation.NONE,
        max_tokens=body.tokens,
        keep_alive=body.ttl if body.keep_alive is None else body.keep_alive,
    )
    found = await while_connected(caller, program_of(caller.context).rerank.score(request))
    order = sorted(range(len(texts)), key=lambda index: (-found.values[index], index))[: body.kept or None]
    if body.texts is not None:
        return _json([_in_tei(index, found, texts, with_text=body.return_text) for index in order])
    shows = with_documents if body.return_documents is None else body.return_documents
    results = [
        RerankResult(
            index=index, relevance_score=found.values[index], document={"text": texts[index]} if shows else None
        )
        for index in order
    ]
    meta = {
        "api_version": {"version": "1" if with_documents else "2"},
        "billed_units": {"search_units": 1},
        "tokens": {"input_tokens": found.prompt_tokens, "output_tokens": 0},
    }
    answer = RerankResponse(
        id=f"rerank-{uuid.uuid4().hex}", model=found.model, usage=_usage(found), meta=meta, results=results
    )
    return _json(answer.model_dump(exclude_none=True))


def _documents(body: RerankRequest) -> list[str]:
    name = "texts" if body.texts is not None else "documents"
    given = body.texts if body.texts is not None else body.documents
    if not given:
        raise BadRequest(f"{name} is empty. Send at least one text.", param=name)
    if len(given) > _MAX_DOCUMENTS:
        raise BadRequest(f"{name} can have {_MAX_DOCUMENTS} texts at most.", param=name)
    if not body.query.strip():
        raise BadRequest("The query is empty.", param="query")
    return [_text_of(document, body.rank_fields, f"documents.{at}") for at, document in enumerate(given)]


def _text_of(document: str | dict[str, Any], fields: list[str] | None, param: str) -> str:
    """Raises BadRequest for an object without text, such as a picture."""
    if isinstance(document, str):
        return document
    names = fields or (["text"] if "text" in document else [])
    texts = [document[name] for name in names if isinstance(document.get(name), str)]
    if not texts:
        raise BadRequest("A document must be a text, or an object with a text; pictures cannot be ranked.", param=param)
    return "\n".join(texts)


def _texts(*given: str | list[str] | None, param: str) -> list[str]:
    """The first that is there, as a list."""
    found = next((each for each in given if each is not None), None)
    if not found:
        raise BadRequest(f"{param} is empty. Send a text or a list of texts.", param=param)
    return [found] if isinstance(found, str) else found


def _in_tei(index: int, found: Scores, texts: list[str], *, with_text: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"index": index, "score": found.values[index]}
    return entry | {"text": texts[index]} if with_text else entry


def _json(answer: object) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")


def _usage(found: Scores) -> RerankUsage:
    return RerankUsage(prompt_tokens=found.prompt_tokens, total_tokens=found.prompt_tokens)
