"""Pictures of the page that are compared in each run: `python -m tests.browser.pictures` takes them anew.

Compared is what an eye would see: means of small squares, so that edges of letters, which differ between versions of a
browser, do not count, and lost, moved or unreadable things do.
"""

import asyncio
import io
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.async_api import Browser

from tests.browser.chromium import chromium
from tests.browser.scenes import LOOKS, SCENES, SIZES, filled_site, visit
from tests.browser.sites import Site

FOLDER: Final = Path(__file__).parent / "pictures"
_SQUARE: Final = 16
_MOST_DIFFERENCE: Final = 12
_MOST_SQUARES: Final = 3
_COLOURS: Final = 256


async def taken(browser: Browser, site: Site, size: str) -> AsyncGenerator[tuple[str, Image.Image], None]:
    """Every screen in both looks, by name."""
    async with visit(browser, site, size) as scenes:
        for scene in SCENES:
            for look in LOOKS:
                await scenes.wear(look)
                await scenes.show(scene)
                shot = await scenes.page.screenshot(animations="disabled")
                yield f"{scene}-{size}-{look}", Image.open(io.BytesIO(shot)).convert("RGB")


def differences(picture: Image.Image, name: str) -> str:
    """What is wrong with a picture, in words; empty where it looks as it did."""
    kept = FOLDER / f"{name}.png"
    if not kept.is_file():
        return f"{name}: there is no such picture yet"
    before = Image.open(kept).convert("RGB")
    if before.size != picture.size:
        return f"{name}: {picture.size} instead of {before.size}"
    squares = np.argwhere(np.abs(_squares(before) - _squares(picture)).max(axis=2) > _MOST_DIFFERENCE)
    if len(squares) <= _MOST_SQUARES:
        return ""
    (top, left), (bottom, right) = squares.min(axis=0) * _SQUARE, (squares.max(axis=0) + 1) * _SQUARE
    return f"{name}: {len(squares)} squares of {_SQUARE} pixels differ, from ({left}, {top}) to ({right}, {bottom})"


def keep(picture: Image.Image, folder: Path, name: str) -> None:
    """As a picture of few colours, which a page is."""
    folder.mkdir(parents=True, exist_ok=True)
    few = picture.quantize(_COLOURS, dither=Image.Dither.NONE)
    few.save(folder / f"{name}.png", optimize=True)


def _squares(picture: Image.Image) -> NDArray[np.float64]:
    """The mean colour of each square; what is left at the edges is left out."""
    pixels = np.asarray(picture, dtype=np.float64)
    rows, columns = pixels.shape[0] // _SQUARE, pixels.shape[1] // _SQUARE
    whole = pixels[: rows * _SQUARE, : columns * _SQUARE]
    means: NDArray[np.float64] = whole.reshape(rows, _SQUARE, columns, _SQUARE, 3).mean(axis=(1, 3))
    return means


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with filled_site(Path(folder)) as site, chromium() as browser:
            for size in SIZES:
                async with aclosing(taken(browser, site, size)) as pictures:
                    async for name, picture in pictures:
                        keep(picture, FOLDER, name)


if __name__ == "__main__":
    asyncio.run(main())
