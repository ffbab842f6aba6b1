"""What whole and streamed answers have in common."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.responses import Response

from extensions.openai.common.generation_fields import GenerationFields
from extensions.openai.common.generation_inbound import ignored_parameters
from extensions.openai.structured.constraint import unenforced_parts
from modules.events import Event, Started

IGNORED_HEADER = "X-Ignored-Parameters"
REPAIRS_HEADER = "X-Prompt-Repairs"


def json_answer(body: BaseModel, headers: dict[str, str]) -> Response:
    """Keys that nobody set are left out; those set to None are null."""
    return Response(body.model_dump_json(exclude_unset=True), headers=headers, media_type="application/json")


@dataclass(slots=True)
class Remarks:
    """Headers that name what a request asked for and did not get, and what was done with its conversation.

    `left_out` are places in the body, and `repairs` changes, that its endpoint knows of; the rest is said by `started`, as
    soon as there is one.
    """

    body: GenerationFields
    left_out: Sequence[str] = ()
    repairs: Sequence[str] = ()
    started: Started | None = None

    async def reading(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """`events` as they are, with a look at how they start."""
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Started):
                    self.started = event
                yield event

    def headers(self) -> dict[str, str]:
        started = self.started
        unsupported = started.unsupported if started else ()
        ignored = (*ignored_parameters(self.body, unsupported), *unenforced_parts(self.body), *self.left_out)
        repairs = (*self.repairs, *(started.repairs if started else ()))
        named = {IGNORED_HEADER: ignored, REPAIRS_HEADER: repairs}
        return {header: ", ".join(names) for header, names in named.items() if names}
