"""The API over a scripted model that can be held to a form and whose template is strict: on a real port, for clients
that open their own connections, and in this process for the official one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modules.engine.protocols import Engine, ReportProgress
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec
from modules.models.loading import Candidate
from tests.api.serving import Served, on_port, served
from tests.golden.strict import STRICT_TEMPLATE
from tests.scripted import CardedBackend


class _Constraining:
    def __init__(self, spec: LoadSpec) -> None:
        self._spec = spec

    pid = None

    async def load(self, report: ReportProgress) -> Engine:
        report(1.0)
        return ThreadedEngine(CardedBackend(self._spec, can_constrain=True))

    async def aclose(self) -> None:
        """Nothing is held."""


async def launch_constraining(spec: LoadSpec) -> Candidate:
    return _Constraining(spec)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, launch=launch_constraining, chat_template_file=STRICT_TEMPLATE) as serving:
        yield serving


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """The base URL, with /v1."""
    async with on_port(tmp_path, launch=launch_constraining, chat_template_file=STRICT_TEMPLATE) as (address, _, _):
        yield f"{address}/v1" if not address.endswith("/v1") else address
