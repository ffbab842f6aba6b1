"""Clients as programs of their own."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent


async def output_of(program: str | Path, *arguments: str, **variables: str) -> str:
    """What it writes to stdout; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **variables},
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (output + errors).decode()
    return output.decode()


async def python(script: str, *arguments: str) -> str:
    """What one of the programs in this folder writes."""
    return await output_of(sys.executable, str(HERE / script), *arguments, LITELLM_LOCAL_MODEL_COST_MAP="True")
