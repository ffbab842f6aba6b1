"""A tool box over a data folder of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modules.chat.tools.toolbox import ToolBox
from modules.paths import UserData


@pytest.fixture
def data(tmp_path: Path) -> UserData:
    (tmp_path / "tools").mkdir()
    return UserData(tmp_path)


@pytest.fixture
async def box(data: UserData) -> AsyncIterator[ToolBox]:
    box = ToolBox(data, seconds=20)
    yield box
    await box.aclose()
