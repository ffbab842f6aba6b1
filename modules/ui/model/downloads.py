"""Downloads in the Model tab.

The one under way continues when a browser tab is closed; every tab can follow or stop it.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import Busy, ServiceError
from modules.models.downloads.downloads import Downloads
from modules.models.downloads.hub import RepoFiles
from modules.models.downloads.plan import DownloadChoice, Wish
from modules.models.downloads.progress import DownloadProgress
from modules.ui.model.layout import DownloadParts
from modules.ui.model.texts import file_choices, progress_text, repo_text
from modules.ui.page.page import failure, notify_errors

Shown = dict[Component, Any]

_BUSY: Final = "A model is being downloaded already. Wait for it, or stop it first."


class PageDownload:
    """One at a time."""

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads
        self._task: asyncio.Task[None] | None = None
        self._progress: DownloadProgress | None = None
        self._failure: str | None = None
        self._changed = asyncio.Event()

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, choice: DownloadChoice) -> None:
        """Raises Busy while one is under way."""
        if self.is_running:
            raise Busy(_BUSY)
        self._progress, self._failure = None, None
        self._task = asyncio.create_task(self._run(choice))

    async def stop(self) -> bool:
        """What was fetched is kept; returns whether there was anything to stop."""
        if self._task is None or self._task.done():
            return False
        self._task.cancel()
        await asyncio.wait([self._task])
        return True

    async def follow(self) -> AsyncGenerator[DownloadProgress, None]:
        """The newest progress, until the download under way ends. Raises ServiceError with its failure's words."""
        task = self._task
        while task is not None and not task.done():
            changed = self._changed
            if self._progress is not None:
                yield self._progress
            await changed.wait()
        if self._failure is not None:
            raise ServiceError(self._failure)
        if task is not None and not task.cancelled() and self._progress is not None:
            yield self._progress

    async def _run(self, choice: DownloadChoice) -> None:
        try:
            async with aclosing(self._downloads.download(choice)) as steps:
                async for self._progress in steps:
                    self._tell()
        except ServiceError as error:
            self._failure = error.message
        except Exception:
            self._failure = "The download failed. See the log."
            raise
        finally:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class DownloadHandlers:
    """Handlers of the right half of the Model tab."""

    def __init__(self, parts: DownloadParts, downloads: Downloads) -> None:
        self._parts = parts
        self._downloads = downloads
        self._running = PageDownload(downloads)

    async def list_files(self, name: str) -> Shown:
        repo = await notify_errors(self._downloads.files(name))
        return self._listed(repo, [repo.source.file or ""])

    async def download(self, name: str, files: list[str] | None) -> AsyncGenerator[Shown, None]:
        """What the model needs, or `files`. Where the choice is not clear, the menu shows what there is."""
        yield {self._parts.progress: "Contacting Hugging Face …"}
        shown: Shown = {self._parts.progress: ""}
        try:
            repo = await self._downloads.files(name)
            shown = self._listed(repo, files or [])
            self._running.start(self._downloads.choose(repo, Wish(files=tuple(files or ()))))
        except ServiceError as error:
            yield shown
            raise failure(error.message.partition("\n")[0]) from None
        async with aclosing(self.follow()) as steps:
            async for step in steps:
                yield step

    async def follow(self) -> AsyncGenerator[Shown, None]:
        """The download under way, whoever began it."""
        try:
            async with aclosing(self._running.follow()) as steps:
                async for progress in steps:
                    yield {self._parts.progress: progress_text(progress)}
        except ServiceError as error:
            yield {self._parts.progress: ""}
            raise failure(error.message) from None

    async def stop(self) -> Shown:
        if not await self._running.stop():
            return {}
        return {self._parts.progress: "Stopped. Download resumes where it stopped."}

    def _listed(self, repo: RepoFiles, chosen: list[str]) -> Shown:
        choices = file_choices(repo)
        offered = {value for _, value in choices}
        return {
            self._parts.files: gr.update(choices=choices, value=[each for each in chosen if each in offered]),
            self._parts.progress: repo_text(repo),
        }
