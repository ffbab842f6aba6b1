"""A chat service over a scripted model."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modules.chat.service import ChatService
from modules.chat.work import WorkRegister
from modules.models.manager import ModelManager
from tests.models.launches import Launches, scripted_manager


@pytest.fixture
def work() -> WorkRegister:
    return WorkRegister()


@pytest.fixture
async def models(tmp_path: Path) -> AsyncIterator[ModelManager]:
    manager = scripted_manager(tmp_path, Launches(), model="scripted", ctx_size=4096, parallel=2, max_queue=2)
    manager.start()
    yield manager
    await manager.aclose()


@pytest.fixture
def service(models: ModelManager, work: WorkRegister) -> ChatService:
    return ChatService(models, work)
