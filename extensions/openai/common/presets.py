"""Sampling that requests ask for by the name of a preset."""

import asyncio
from dataclasses import replace
from typing import Any

from modules.runtime import Runtime
from modules.sampling import Sampling


async def default_sampling(runtime: Runtime, preset: str | None) -> Sampling:
    """What holds where a request is silent: the server's settings or, if it names a preset, that whole preset, in
    which what the file leaves out is neutral. Raises BadRequest."""
    if not preset:
        return runtime.settings.sampling
    values: dict[str, Any] = dict(await asyncio.to_thread(runtime.library.presets.read, preset))
    return replace(Sampling(), **values)
