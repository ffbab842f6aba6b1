"""Models out of a hub into the user's folder: listed, chosen, fetched with progress, resumed, checked."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import httpx2

from modules.errors import BadRequest
from modules.models.downloads.file import WAITS, FileTransfer, PartialFile, disk_failure, sums_of
from modules.models.downloads.hub import Hub, RepoFiles
from modules.models.downloads.place import DownloadPlaces, DownloadRecord, PlacedFile, write_record
from modules.models.downloads.plan import MODELS, DownloadChoice, Wish, choose
from modules.models.downloads.progress import DownloadProgress, Tally
from modules.paths import UserData, inside_tree

# One connection rarely fills a line, and more than a few only compete for it.
PARALLEL: Final = 4
# Often enough for a bar to move evenly, seldom enough to cost nothing.
_PROGRESS_SECONDS: Final = 0.25


class Verdict(StrEnum):
    """What `check` finds of a file."""

    INTACT = "intact"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class FileCheck:
    """`name` is the file's path below the folder of the models."""

    name: str
    verdict: Verdict


class Downloads:
    """Into the folders of `data`, from `hub`. `parallel` files at a time; `waits` in seconds between attempts.

    `with_code` lets a model's Python files come along, which only the operator may decide.
    """

    def __init__(
        self,
        data: UserData,
        hub: Hub | None = None,
        *,
        with_code: bool = False,
        parallel: int = PARALLEL,
        waits: Sequence[float] = WAITS,
    ) -> None:
        self._places = DownloadPlaces(data)
        self._hub = hub or Hub.from_environment()
        self._with_code = with_code
        self._parallel = parallel
        self._waits = waits
        self._under_way: set[str] = set()

    async def files(self, name: str, *, branch: str | None = None) -> RepoFiles:
        """What the repository holds that `name` means: owner/name, owner/name:quantization, owner/name:branch, or an
        address on the hub. `branch` goes above the one in the name.

        Raises BadRequest, NotFound, HubFailed.
        """
        return await self._hub.list_files(self._hub.parse(name, branch))

    def choose(self, repo: RepoFiles, wish: Wish | None = None) -> DownloadChoice:
        """Raises BadRequest that says what there is to choose from when that is not clear."""
        choice = choose(repo, replace(wish or Wish(), with_code=self._with_code))
        self._places.placed(choice)
        return choice

    async def download(self, choice: DownloadChoice) -> AsyncGenerator[DownloadProgress, None]:
        """Progress, several times a second, until the model is whole where it belongs; the last value is DONE.

        Closing it stops the download. What was fetched then, or before a failure, is where the next one goes on, and
        files that are there and whole are not fetched again. Raises BadRequest, HubFailed.
        """
        with self._claimed(choice.target):
            tally = Tally(choice.target, choice.size)
            work = asyncio.create_task(self._run(choice, tally), name=f"download {choice.target}")
            try:
                while not work.done():
                    yield tally.snapshot()
                    await asyncio.wait([work], timeout=_PROGRESS_SECONDS)
                await work
            finally:
                work.cancel()
                # A thread may still be writing; the next download of the same files must not meet it.
                await asyncio.gather(work, return_exceptions=True)
            yield tally.snapshot(is_done=True)

    async def forget(self, choice: DownloadChoice) -> None:
        """Throw away what was fetched of an unfinished download."""
        with self._claimed(choice.target):
            await asyncio.to_thread(self._places.clear, choice)

    async def check(self, name: str) -> AsyncGenerator[FileCheck, None]:
        """Each file of the model `name`, a name of the model list, against the sums it was downloaded with.

        Raises BadRequest when those are not known.
        """
        record = await asyncio.to_thread(self._places.known, name)
        if record is None or not record.sums:
            raise BadRequest(
                "There are no checksums to check this model against, because it was not downloaded by this program. "
                "Downloading it again fetches only what is missing or damaged.",
                param="model",
            )
        is_folder = (self._places.data.models / name).is_dir()
        for path, expected in sorted(record.sums.items()):
            yield await self._checked(f"{name}/{path}" if is_folder else path, expected)

    async def _checked(self, path: str, expected: str) -> FileCheck:
        try:
            file = inside_tree(self._places.data.models, path)
            sums = await sums_of(file, 0, lambda _size: None)
        except (BadRequest, OSError):
            return FileCheck(path, Verdict.MISSING)
        if sums.fed == 0 and not await asyncio.to_thread(file.is_file):
            return FileCheck(path, Verdict.MISSING)
        return FileCheck(path, Verdict.INTACT if sums.sha256 == expected else Verdict.DAMAGED)

    @contextmanager
    def _claimed(self, target: str) -> Iterator[None]:
        if target in self._under_way:
            raise BadRequest(f"{target} is being downloaded already.", param="model")
        self._under_way.add(target)
        try:
            yield
        finally:
            self._under_way.discard(target)

    async def _run(self, choice: DownloadChoice, tally: Tally) -> None:
        placed = self._places.placed(choice)
        sums: dict[str, str] = {}
        try:
            missing = [each for each in placed if not await self._is_there(each, tally, sums)]
            await asyncio.to_thread(self._prepare, choice, missing)
            await self._fetch(choice, missing, tally, sums)
            await asyncio.to_thread(self._finish, choice, missing, sums)
        except OSError as error:
            raise disk_failure(error) from error

    async def _is_there(self, placed: PlacedFile, tally: Tally, sums: dict[str, str]) -> bool:
        """Whether the file is where it belongs, whole."""
        file = placed.chosen.file
        # The cheap test first: hashing a model takes a minute.
        if await asyncio.to_thread(_size, placed) != file.size:
            return False
        tally.begin(file.name, is_check=True)
        found = await sums_of(placed.final, file.size, lambda size: tally.report(file.name, size))
        if not found.match(file):
            tally.report(file.name, 0)
            return False
        sums[placed.chosen.path] = found.sha256
        tally.finish(file.name, file.size)
        return True

    def _prepare(self, choice: DownloadChoice, missing: list[PlacedFile]) -> None:
        self._places.refuse_foreign(choice, self._hub.page(choice.repo.source), missing)
        self._places.check_room(missing)

    async def _fetch(
        self, choice: DownloadChoice, missing: list[PlacedFile], tally: Tally, sums: dict[str, str]
    ) -> None:
        """The largest first, so that no long one is left alone at the end."""
        turns = asyncio.Semaphore(self._parallel)
        async with self._hub.client() as client:

            async def fetch(placed: PlacedFile) -> None:
                async with turns:
                    sums[placed.chosen.path] = await self._fetch_file(choice, placed, client, tally)

            try:
                async with asyncio.TaskGroup() as group:
                    for placed in sorted(missing, key=lambda each: -each.chosen.file.size):
                        group.create_task(fetch(placed))
            except ExceptionGroup as failures:
                # The group cancels the other files, so that the first failure is the cause.
                raise failures.exceptions[0] from None

    async def _fetch_file(
        self, choice: DownloadChoice, placed: PlacedFile, client: httpx2.AsyncClient, tally: Tally
    ) -> str:
        file = placed.chosen.file
        await asyncio.to_thread(_unstage, placed)
        part = PartialFile(placed.part, file)
        await FileTransfer(client, self._hub.url(choice.repo, file), part, tally, self._waits).run()
        await asyncio.to_thread(placed.part.replace, placed.staged)
        tally.finish(file.name, file.size)
        return part.sha256

    def _finish(self, choice: DownloadChoice, missing: list[PlacedFile], sums: dict[str, str]) -> None:
        """The record goes last: while it is missing, nothing claims that the model is whole."""
        self._places.install(choice, missing)
        cut = len(choice.target) + 1 if choice.is_folder else 0
        source = choice.repo.source
        models = {each.path for each in choice.files if each.place == MODELS}
        known = {path[cut:]: value for path, value in sums.items() if path in models}
        record = DownloadRecord(self._hub.page(source), source.revision, known)
        write_record(self._places.record(choice.target, is_folder=choice.is_folder), record)


def _size(placed: PlacedFile) -> int | None:
    return placed.final.stat().st_size if placed.final.is_file() else None


def _unstage(placed: PlacedFile) -> None:
    """A file that was whole when another one failed is looked at again: its sum is taken on the way."""
    if placed.staged.is_file():
        placed.staged.replace(placed.part)
