"""What whole and streamed answers share: ids, times, token counts, token texts and headers."""

import hashlib
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Self

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from extensions.openai.common.generation import GenerationFields, ignored_parameters, quoted_titles
from extensions.openai.structured.constraint import unenforced_parts
from modules.engine.types import Alternative, TokenLogprob, Usage
from modules.events import Done, Event, Started
from modules.reply.gather import total_usage
from modules.reply.receipt import ReceiptNotes


@dataclass(frozen=True, slots=True)
class Stamp:
    """`created` is in unix seconds. `system_fingerprint` is the same whenever the same model answers."""

    id: str
    created: int
    model: str

    @classmethod
    def of(cls, prefix: str, model: str) -> Self:
        return cls(f"{prefix}-{uuid.uuid4().hex}", int(time.time()), model)

    @property
    def system_fingerprint(self) -> str:
        return f"fp_{hashlib.sha256(self.model.encode()).hexdigest()[:10]}"


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"


class PromptTokensDetails(BaseModel):
    """`image_tokens` and `audio_tokens` stand for pictures and sounds."""

    cached_tokens: int
    image_tokens: int = 0
    audio_tokens: int = 0


class CompletionTokensDetails(BaseModel):
    """The accepted ones of the drafted tokens are part of the completion; the rejected ones are not counted in it. A request
    with a `prediction` is told of the tokens that were drafted from it, any other of all."""

    reasoning_tokens: int
    accepted_prediction_tokens: int
    rejected_prediction_tokens: int


class CompletionUsage(BaseModel):
    """Tokens counted where they were processed. `cached_tokens` of the prompt had not to be computed again."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


def usage_body(usage: Usage) -> CompletionUsage:
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        prompt_tokens_details=PromptTokensDetails(
            cached_tokens=usage.cached_tokens, image_tokens=usage.image_tokens, audio_tokens=usage.audio_tokens
        ),
        completion_tokens_details=CompletionTokensDetails(
            reasoning_tokens=usage.reasoning_tokens,
            accepted_prediction_tokens=usage.predicted_tokens if usage.has_prediction else usage.accepted_tokens,
            rejected_prediction_tokens=usage.mispredicted_tokens if usage.has_prediction else usage.rejected_tokens,
        ),
    )


class UsageTally:
    """Adds up a streamed request, whose choices end one by one."""

    def __init__(self) -> None:
        self._prompt_tokens = 0
        self._choices: list[Usage] = []

    def start(self, started: Started) -> None:
        self._prompt_tokens = started.prompt_tokens

    def finish(self, done: Done) -> None:
        self._choices.append(done.usage)

    @property
    def total(self) -> Usage:
        return total_usage(self._prompt_tokens, self._choices)


# What OpenAI's API answers for a token of probability zero.
_LOWEST_LOGPROB: Final = -9999.0


def token_text(data: bytes) -> str:
    r"""The text of a token; `\xf0\x9f` where its bytes are no complete characters, as OpenAI writes it."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in data)


def finite(logprob: float) -> float:
    """The same float, but for minus infinity, which JSON has no number for."""
    return max(logprob, _LOWEST_LOGPROB)


def candidates(scored: TokenLogprob) -> tuple[Alternative, ...]:
    """The alternatives at a position, best first, the token itself among them in any case."""
    if any(alternative.token == scored.token for alternative in scored.top):
        return scored.top
    return (*scored.top, Alternative(scored.token, scored.data, scored.logprob))


IGNORED_HEADER = "X-Ignored-Parameters"
REPAIRS_HEADER = "X-Prompt-Repairs"
LORE_HEADER = "X-Lorebook-Entries"


def json_answer(body: BaseModel, headers: dict[str, str], receipt: bytes = b"") -> Response:
    """Unset keys are left out; those set to None are null. `receipt` is a further member of the answer, in JSON."""
    told = body.model_dump_json(exclude_unset=True).encode()
    return Response(_with_receipt(told, receipt), headers=headers, media_type="application/json")


def _with_receipt(body: bytes, receipt: bytes) -> bytes:
    return body[:-1] + b',"receipt":' + receipt + b"}" if receipt else body


@dataclass(slots=True)
class ExtraHeaders:
    """Headers that name what a request asked for and did not get, and what was done with its conversation.

    `left_out` are places in the body that its endpoint knows of; the rest is said by `started`, as soon as there is one.
    `notes` become the receipt of a caller who wants one.
    """

    body: GenerationFields
    left_out: Sequence[str] = ()
    started: Started | None = None
    notes: ReceiptNotes | None = None

    async def reading(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """`events` as they are, with a look at how they start."""
        async with aclosing(events):
            async for event in events:
                self.note(event)
                yield event

    def note(self, event: Event) -> None:
        if isinstance(event, Started):
            self.started = event
        if self.notes is not None:
            self.notes.note(event)

    @property
    def receipt(self) -> bytes:
        """As JSON; empty where nobody asked for it."""
        return b"" if self.notes is None else orjson.dumps(self.notes.body(self._ignored))

    @property
    def _ignored(self) -> tuple[str, ...]:
        unsupported = self.started.unsupported if self.started else ()
        return (*ignored_parameters(self.body, unsupported), *unenforced_parts(self.body), *self.left_out)

    def headers(self) -> dict[str, str]:
        started = self.started
        named = {
            IGNORED_HEADER: self._ignored,
            REPAIRS_HEADER: started.repairs if started else (),
            LORE_HEADER: quoted_titles(started.lore) if started else (),
        }
        return {header: ", ".join(names) for header, names in named.items() if names}


def full_answer(body: BaseModel, headers: Mapping[str, str] | None = None, receipt: bytes = b"") -> Response:
    told = body.model_dump_json().encode()
    return Response(_with_receipt(told, receipt), headers=headers, media_type="application/json")
