"""A chat service over a scripted model."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modules.chat.service import ChatService
from modules.chat.work import WorkRegister
from modules.models.pool import ModelPool
from tests.chat.services import chat_service
from tests.models.launches import Launches, scripted_pool


@pytest.fixture
def work() -> WorkRegister:
    return WorkRegister()


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[ModelPool]:
    manager = scripted_pool(tmp_path, Launches(), model="scripted", ctx_size=4096, parallel=2, max_queue=2)
    manager.start()
    yield manager
    await manager.aclose()


@pytest.fixture
def service(models: ModelPool, work: WorkRegister) -> ChatService:
    return chat_service(models, work)
