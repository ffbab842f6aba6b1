"""The server's own state: /health, /metrics, and the billing route that old clients call."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel
from starlette.responses import Response
from typing_extensions import override

from extensions.openai.common.context import CurrentContext
from extensions.openai.common.program import program_of
from modules.backends.kv.disk.kept import KeptPrefixes
from modules.models.state import ModelState, Status

router = APIRouter(tags=["Server"])

# The best last.
_WORDS: Final[Sequence[tuple[Status, Literal["loaded", "loading", "sleeping", "failed"]]]] = (
    (Status.FAILED, "failed"),
    (Status.EMPTY, "sleeping"),
    (Status.LOADING, "loading"),
    (Status.READY, "loaded"),
)


class Health(BaseModel):
    """`progress` is that of the model being loaded, from 0 to 1. `media` tells of each kind of model beside the chat models
    that was asked for whether it is loaded, loading, sleeping (the next request loads it) or has failed."""

    status: Literal["ok", "loading model"]
    progress: float | None = None
    media: dict[str, Literal["loaded", "loading", "sleeping", "failed"]] | None = None


@router.get("/health", responses={200: {"model": Health}, 503: {"model": Health}})
async def health(context: CurrentContext) -> Response:
    """200, but 503 with the progress while a model is being loaded and none answers. It needs no key and tells no
    names."""
    states = program_of(context).models.models
    loading = next((state for state in states if state.status is Status.LOADING), None)
    if loading is not None and not any(state.status is Status.READY for state in states):
        body = Health(status="loading model", progress=round(loading.progress, 3))
        return Response(body.model_dump_json(exclude_none=True), 503, {"Retry-After": "1"}, "application/json")
    body = Health(status="ok", media=_media(states) or None)
    return Response(body.model_dump_json(exclude_none=True), media_type="application/json")


def _media(states: Sequence[ModelState]) -> dict[str, Literal["loaded", "loading", "sleeping", "failed"]]:
    """Of several models of a kind, the one that is nearest to an answer."""
    found: dict[str, Literal["loaded", "loading", "sleeping", "failed"]] = {}
    for status, word in _WORDS:
        found |= {state.kind.value: word for state in states if state.kind.is_media and state.status is status}
    return found


@router.options("/")
async def options() -> Literal["OK"]:
    """Answers clients that test whether the server is there."""
    return "OK"


@router.get("/v1/billing/usage")
async def billing_usage() -> dict[str, int]:
    """Nothing is billed here."""
    return {"total_usage": 0}


@router.get("/metrics", response_class=Response)
def metrics(context: CurrentContext) -> Response:
    """Counters and times of all replies since the start, the state of each model, and what is kept on disk."""
    program = program_of(context)
    registry = CollectorRegistry()
    registry.register(_Models(program.models.models))
    registry.register(_DiskCache(program.kept_prefixes))
    body = generate_latest(registry) + generate_latest(program.chat.metrics.registry)
    return Response(body, media_type=CONTENT_TYPE_LATEST)


class _Models(Collector):
    """The models at one moment."""

    def __init__(self, states: Sequence[ModelState]) -> None:
        self._states = states

    @override
    def collect(self) -> Iterator[Metric]:
        loaded = GaugeMetricFamily("llm_model_loaded", "1 while the model answers requests.", labels=("model",))
        memory = GaugeMetricFamily("llm_model_memory_bytes", "Memory of the model's process.", labels=("model",))
        for state in self._states or (ModelState(),):
            loaded.add_metric((state.name or "",), float(state.status is Status.READY))
            if state.status is Status.READY:
                memory.add_metric((state.name or "",), float(state.memory))
        yield loaded
        yield memory
        loading = [state.progress for state in self._states if state.status is Status.LOADING]
        progress = loading[0] if loading else float(any(state.status is Status.READY for state in self._states))
        yield GaugeMetricFamily("llm_model_load_progress", "Of the load under way, 0 to 1.", progress)


class _DiskCache(Collector):
    """What --cache-disk keeps. Its counts go back to when the folder was made, whichever process wrote."""

    def __init__(self, kept: KeptPrefixes) -> None:
        self._kept = kept

    @override
    def collect(self) -> Iterator[Metric]:
        counts = self._kept.counts()
        yield GaugeMetricFamily("llm_disk_cache_bytes", "Bytes of prompts and replies in files.", self._kept.size())
        for name, meaning, count in (
            ("writes", "Files that were written.", counts.writes),
            ("written_bytes", "Bytes that were written.", counts.written_bytes),
            ("evictions", "Files that gave way to others.", counts.evictions),
            ("evicted_bytes", "Bytes that gave way to others.", counts.evicted_bytes),
            ("damaged_files", "Files that were not what had been written.", counts.damaged),
        ):
            yield CounterMetricFamily(f"llm_disk_cache_{name}", meaning, count)
