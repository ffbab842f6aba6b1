"""A model that is left on automatic loads at the first try, within the memory that there is."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.models.pool import ModelPool
from modules.settings.values import Settings
from tests.model_files import QWEN

pytestmark = pytest.mark.model


@pytest.mark.parametrize(("changes", "fits"), [({}, True), ({"fit": False}, False), ({"ctx_size": 32_768}, False)])
async def test_context_is_chosen_for_the_memory(
    model_file: Callable[[str], Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, object],
    fits: bool,
) -> None:
    caplog.set_level(logging.INFO)
    values = {"ctx_size": 0, "models_max": 2, "models_memory": 0.95, "threads": 1, "parallel": 1}
    settings = Settings.model_validate(
        {"model_dir": model_file(QWEN).parent, "user_data_dir": tmp_path, "model": QWEN} | values | changes
    )
    pool = ModelPool(settings, settings.user_data)
    pool.start()
    try:
        if not fits:
            with pytest.raises(Exception, match="memory"):
                async with pool.lease(None):
                    pass
            return
        async with pool.lease(None) as engine:
            assert 8192 <= engine.card.context < engine.card.trained_context == 32_768
            told = f"{QWEN} is made to fit: {engine.card.context} tokens of context"
            assert told in caplog.text
    finally:
        await pool.aclose()
