"""What of the user's documents goes with a message: passages of collections and long files."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from modules.chat.attachments.attachments import PAGE_STARTS
from modules.chat.citations import (
    IN_PASSAGES,
    Citation,
    citations_of,
    is_in_passages,
    next_number,
    passages_attachment,
)
from modules.knowledge.service import KnowledgeService
from modules.library.chats.history import Attachment, History
from modules.library.knowledge.index import FoundPassage, best_of
from modules.library.knowledge.passages import Passage, passages_of, token_estimate
from modules.messages import Message, Role, TextPart
from modules.requests import ChatRequest

PASSAGES: Final = 6
_LONGEST_FILE_PASSAGES: Final = 12
# Of what the context still holds, so much may be passages.
_SHARE: Final = 0.5
# Estimates of tokens may be wrong by so much; what fits only without it is given in passages.
_MARGIN: Final = 1.15
# Room for the reply, and for what the template adds.
_RESERVE: Final = 1024
_RESERVE_SHARE: Final = 0.25
_NAMED: Final = re.compile(r"(?<![^\s(\"'])#([^\s#]+)")
_TRAILING: Final = ".,;:!?)\"'"


class KnowledgeMessages:
    def __init__(self, knowledge: KnowledgeService) -> None:
        self._knowledge = knowledge

    async def names(self) -> list[str]:
        """Of all collections."""
        return await self._knowledge.names()

    async def named_in(self, text: str) -> list[str]:
        """The collections that a message names as #name."""
        known = {name.lower(): name for name in await self._knowledge.names()}
        words = [found.lower() for found in _NAMED.findall(text)]
        found = [known.get(word) or known.get(word.rstrip(_TRAILING)) for word in words]
        return [name for name in dict.fromkeys(found) if name is not None]

    async def prepared(
        self,
        history: History,
        text: str,
        attachments: Sequence[Attachment],
        *,
        collections: Iterable[str],
        context: int | None,
    ) -> list[Attachment]:
        """`attachments` of the message `text` that follows on `history`, those marked that do not fit beside it into
        `context` tokens, and passages: of the collections, of those that the message names, and of all files of the
        chat that are too long. Collections that are gone are left out. Raises ServiceError where the index is damaged."""
        room = (
            None
            if context is None
            else context - int(_tokens_of(history)) - min(_RESERVE, int(context * _RESERVE_SHARE))
        )
        marked = list(attachments) if room is None else _marked(attachments, room)
        known = await self._knowledge.names()
        names = [name for name in dict.fromkeys([*collections, *(await self.named_in(text))]) if name in known]
        found = await self._knowledge.search(text, names, limit=PASSAGES) if names and text.strip() else []
        citations = [_of_collection(passage) for passage in found]
        for attachment in [*_long_ones(history), *(each for each in marked if is_in_passages(each))]:
            citations += await asyncio.to_thread(_of_file, attachment, text)
        given = {citation.key for citation in citations_of(history).values()}
        fresh = _within([each for each in citations if each.key not in given], room)
        numbered = [replace(each, number=number) for number, each in enumerate(fresh, next_number(history))]
        name = ", ".join([*(f"#{name}" for name in names), *(each.name for each in marked if is_in_passages(each))])
        return [*marked, passages_attachment(name or "passages", numbered)] if numbered else marked

    async def given_to(
        self, request: ChatRequest, collections: Sequence[str], *, context: int | None
    ) -> tuple[ChatRequest, list[Citation]]:
        """A conversation that is kept elsewhere: the request, whose user's last message is followed by passages that are
        found for it, numbered from 1 on. Raises BadRequest for a collection that there is not, naming those that are."""
        names = list(dict.fromkeys(collections))
        places = [number for number, message in enumerate(request.messages) if message.role is Role.USER]
        question = request.messages[places[-1]].text if places else ""
        # Names are checked whether or not there is anything to look for.
        found = await self._knowledge.search(question, names, limit=PASSAGES) if names else []
        if not found or not question.strip():
            return request, []
        said = int(sum(token_estimate(message.text) for message in request.messages))
        room = None if context is None else context - said - min(_RESERVE, int(context * _RESERVE_SHARE))
        fresh = _within([_of_collection(passage) for passage in found], room)
        citations = [replace(each, number=number) for number, each in enumerate(fresh, 1)]
        content = passages_attachment("", citations).content
        asked = _followed_by(request.messages[places[-1]], content)
        messages = (*request.messages[: places[-1]], asked, *request.messages[places[-1] + 1 :])
        return replace(request, messages=messages), citations


def _followed_by(message: Message, content: str) -> Message:
    """As a chat of the page has it: the passages in a paragraph of their own."""
    *before, last = message.parts
    if isinstance(last, TextPart):
        return replace(message, parts=(*before, replace(last, text=f"{last.text}\n\n{content}")))
    return replace(message, parts=(*message.parts, TextPart(content)))


def _marked(attachments: Sequence[Attachment], room: int) -> list[Attachment]:
    """The longest ones first are those that are read in passages, until the others fit."""
    sizes = {place: token_estimate(each.content) * _MARGIN for place, each in enumerate(attachments)}
    chosen: set[int] = set()
    while sizes and sum(sizes.values()) > room:
        longest = max(sizes, key=lambda place: sizes[place])
        if not attachments[longest].content:
            break
        chosen.add(longest)
        del sizes[longest]
    return [
        replace(each, extra={**each.extra, IN_PASSAGES: True}) if place in chosen else each
        for place, each in enumerate(attachments)
    ]


def _long_ones(history: History) -> list[Attachment]:
    return [each for row in history.rows for each in row.user.attachments if is_in_passages(each)]


def _of_collection(passage: FoundPassage) -> Citation:
    return Citation(
        number=0,
        source=f"{passage.collection}/{passage.path}",
        text=passage.text,
        page=passage.page,
        heading=passage.heading,
    )


def _of_file(attachment: Attachment, question: str) -> list[Citation]:
    """The passages that have words of the question, the best first; of a file that has none of them, passages from its
    beginning to its end."""
    starts = attachment.extra.get(PAGE_STARTS)
    pages = [each for each in starts if isinstance(each, int)] if isinstance(starts, list) else []
    passages = passages_of(attachment.content, pages)
    chosen = best_of(question, passages, _LONGEST_FILE_PASSAGES) or _spread(len(passages))
    return [_of_attachment(attachment.name, passages[place]) for place in chosen]


def _spread(count: int) -> list[int]:
    return sorted({place * count // _LONGEST_FILE_PASSAGES for place in range(min(count, _LONGEST_FILE_PASSAGES))})


def _of_attachment(name: str, passage: Passage) -> Citation:
    return Citation(number=0, source=name, text=passage.text, page=passage.page, heading=passage.heading)


def _within(citations: list[Citation], room: int | None) -> list[Citation]:
    """As many as may take their share of the room, and one at least."""
    kept: list[Citation] = []
    tokens = 0.0
    for citation in citations:
        tokens += token_estimate(citation.text) * _MARGIN
        if kept and room is not None and tokens > room * _SHARE:
            break
        kept.append(citation)
    return kept


def _tokens_of(history: History) -> float:
    """What is in the prompt before the message, about."""
    texts = [
        text
        for row in history.rows
        for text in (
            row.user.text,
            row.assistant.text,
            *(each.content for each in row.user.attachments if not is_in_passages(each)),
        )
    ]
    return sum(map(token_estimate, texts))
