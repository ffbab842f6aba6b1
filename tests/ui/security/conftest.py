"""The page that the tests of one module share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.ui.security.hostile import Trap
from tests.ui.served import ServedPage, served_page


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Trap:
    return Trap.set_up(tmp_path_factory.mktemp("place"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(trap: Trap) -> AsyncIterator[ServedPage]:
    async with served_page(trap.folder) as served:
        yield served
