"""`one_click.py bench`: measures a model on this machine and prints a table to paste.

Usage: python -m modules.benchmark [server flags]; of several models it takes the one of --model, else the first.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from modules.engine.types import ModelKind
from modules.errors import ServiceError, SettingsError
from modules.logs import open_standard_streams, set_up_logging
from modules.models.benchmark.measuring import BenchmarkPoint, benchmark
from modules.models.benchmark.report import machine_text, recommended, table
from modules.models.catalog import model_catalog
from modules.runtime import Runtime
from modules.settings.flag_parser import HelpRequested
from modules.settings.flags import parse
from modules.settings.values import Settings

_FAILURE: Final = 1
_USAGE_ERROR: Final = 2
_NO_MODEL: Final = (
    "There is no model to measure. Put a model file into {folder}, or start the program and download one on the page: "
    "Settings → Model. Then run this again."
)


def main(argv: Sequence[str]) -> int:
    """Returns the exit code."""
    open_standard_streams()
    try:
        settings = parse(argv, os.environ)
        set_up_logging(verbose=settings.verbose, keys=settings.secrets)
        return asyncio.run(_run(settings))
    except HelpRequested as request:
        print(request)
        return 0
    except SettingsError as error:
        print(error.message, file=sys.stderr)
        return _USAGE_ERROR
    except ServiceError as error:
        print(error.message, file=sys.stderr)
        return _FAILURE


async def _run(settings: Settings) -> int:
    chosen = await asyncio.to_thread(_with_model, settings)
    if chosen is None:
        print(_NO_MODEL.format(folder=settings.user_data.models), file=sys.stderr)
        return _FAILURE
    points: list[BenchmarkPoint] = []
    async with Runtime(chosen) as runtime, runtime.models.lease(None) as engine:
        print(f"Measuring {engine.card.name}, for a minute at most …", file=sys.stderr)
        async with aclosing(benchmark(engine)) as found:
            async for point in found:
                points.append(point)
                print(f"  {point.kind} × {point.streams}: {point.rate:,.1f} tokens/s", file=sys.stderr)
        print(table(engine.card, machine_text(), points))
        if said := recommended(engine.card, points):
            print(f"\n{said}")
    return 0


def _with_model(settings: Settings) -> Settings | None:
    """The settings with a model of this machine, where they name none."""
    if settings.model or settings.loader is not None:
        return settings
    catalog = model_catalog(settings.user_data, settings.backends)
    for name in catalog.names():
        if settings.backends.kind_of(catalog.path_of(name)) is ModelKind.CHAT:
            return settings.model_copy(update={"model": name})
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
