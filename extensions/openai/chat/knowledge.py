"""Passages of documents for chat requests; /v1/internal/knowledge/list."""

from collections.abc import Sequence

from fastapi import APIRouter

from extensions.openai.chat.schema import FileCitation
from extensions.openai.common.context import AnsweringRuntime, CurrentCaller
from extensions.openai.common.middleware import JsonRoute
from modules.chat.citations import Citation
from modules.errors import BadRequest
from modules.requests import ChatRequest

router = APIRouter(prefix="/v1/internal/knowledge", tags=["Chat completions"], route_class=JsonRoute)


@router.get("/list")
async def list_collections(caller: CurrentCaller) -> dict[str, list[str]]:
    """What `knowledge` of a chat request can name: nothing with --multi-user."""
    runtime = caller.context.runtime
    names = [] if runtime.settings.multi_user else await runtime.knowledge_messages.names()
    return {"collection_names": names}


async def with_knowledge(
    runtime: AnsweringRuntime, request: ChatRequest, names: Sequence[str] | None
) -> tuple[ChatRequest, tuple[FileCitation, ...] | None]:
    """The request with what the collections say to it, and that for the answer; without names, as it is, and None.
    Raises BadRequest for a name that there is not."""
    if not names:
        return request, None
    if runtime.settings.multi_user:
        raise BadRequest("With --multi-user no documents are given out. Leave knowledge out.", param="knowledge")
    card = runtime.chat.known_card(request.model)
    context = None if card is None else card.model.context
    request, citations = await runtime.knowledge_messages.given_to(request, names, context=context)
    return request, tuple(map(_file_citation, citations))


def _file_citation(citation: Citation) -> FileCitation:
    cited = FileCitation(
        type="file_citation",
        number=citation.number,
        file_id=citation.source,
        filename=citation.source.rpartition("/")[2],
        quote=citation.text,
    )
    if citation.page:
        cited.page = citation.page
    if citation.heading:
        cited.heading = citation.heading
    return cited
