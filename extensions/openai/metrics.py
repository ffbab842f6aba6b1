"""GET /metrics: Prometheus' text format, behind the key like everything else."""

from collections.abc import Iterator

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response
from typing_extensions import override

from extensions.openai.context import CurrentContext
from modules.models.state import ModelState, Status

router = APIRouter(tags=["Server"])


@router.get("/metrics", response_class=Response)
def metrics(context: CurrentContext) -> Response:
    """Counters and times of all replies since the start, and the state of the model."""
    registry = CollectorRegistry()
    registry.register(_Model(context.runtime.models.state))
    body = generate_latest(registry) + generate_latest(context.runtime.chat.metrics.registry)
    return Response(body, media_type=CONTENT_TYPE_LATEST)


class _Model(Collector):
    """The model at one moment."""

    def __init__(self, state: ModelState) -> None:
        self._state = state

    @override
    def collect(self) -> Iterator[Metric]:
        is_ready = self._state.status is Status.READY
        loaded = GaugeMetricFamily("llm_model_loaded", "1 while the model answers requests.", labels=("model",))
        loaded.add_metric((self._state.name or "",), float(is_ready))
        yield loaded
        yield GaugeMetricFamily("llm_model_load_progress", "Of the load under way, 0 to 1.", self._state.progress)
