"""`python -m modules.models.downloads.download MODEL`: downloads and checks in the terminal."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from modules.errors import ServiceError
from modules.models.downloads.downloads import PARALLEL, Downloads, Verdict
from modules.models.downloads.hub import Hub
from modules.models.downloads.plan import DownloadChoice, Wish, shown_size
from modules.models.downloads.progress import DownloadProgress, shown_seconds
from modules.paths import PROGRAM_FOLDER, UserData

_RETRIES: Final = 7
# The usual compromise of size and quality, and what most repositories have.
_QUANTIZATION: Final = "Q4_K_M"
# What shells expect of a program that Ctrl-C has ended: 128 plus the number of SIGINT.
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """One line that is written over and over on a terminal; elsewhere a line for each tenth of the way."""

    out: TextIO

    def show(self, progress: DownloadProgress, before: DownloadProgress | None) -> None:
        if self.out.isatty():
            self.out.write(f"\r\033[K{shown_progress(progress)}")
        elif before is None or int(progress.fraction * 10) > int(before.fraction * 10):
            self.out.write(f"{shown_progress(progress)}\n")
        self.out.flush()

    def end(self) -> None:
        if self.out.isatty():
            self.out.write("\n")


def main(argv: Sequence[str]) -> int:
    """The exit status: 0 when the model is complete."""
    arguments = _parser().parse_args(argv)
    try:
        return asyncio.run(_run(arguments))
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. The same command resumes the download.\n")
        return _INTERRUPTED
    except ServiceError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1


def shown_progress(progress: DownloadProgress) -> str:
    """One line for people."""
    amounts = f"{shown_size(progress.done)} of {shown_size(progress.total)}"
    parts = [f"{progress.stage} {progress.target}", f"{progress.fraction:4.0%}", amounts]
    if progress.speed:
        parts.append(f"{shown_size(progress.speed)}/s")
    if progress.seconds_left:
        parts.append(f"{shown_seconds(progress.seconds_left)} left")
    return " · ".join([*parts, *([progress.note] if progress.note else [])])


async def _run(arguments: argparse.Namespace) -> int:
    folder = arguments.output or arguments.model_dir
    waits = tuple(float(2**attempt) for attempt in range(max(0, arguments.max_retries - 1)))
    data = UserData(arguments.user_data_dir, folder)
    hub = Hub.from_environment()
    downloads = Downloads(data, hub, with_code=arguments.with_code, parallel=max(1, arguments.threads), waits=waits)
    if arguments.check and _lies_in(data.models, arguments.model):
        return await _check(downloads, arguments.model)
    repo = await downloads.files(arguments.model, branch=arguments.branch)
    if arguments.list:
        lines = [f"{shown_size(file.size):>9}  {file.name}" for file in sorted(repo.files, key=lambda file: file.size)]
        sys.stdout.write("\n".join(lines) + "\n")
        return 0
    choice = downloads.choose(repo, _wish(arguments))
    if arguments.check:
        return await _check(downloads, choice.target)
    if arguments.clean:
        await downloads.forget(choice)
    return await _download(downloads, choice)


def _lies_in(folder: Path, name: str) -> bool:
    return (folder / name).exists()


def _wish(arguments: argparse.Namespace) -> Wish:
    return Wish(
        files=tuple(arguments.specific_file or ()),
        text_only=arguments.text_only,
        default_quantization=_QUANTIZATION,
        exclude=arguments.exclude_pattern,
        with_projector=not arguments.specific_file,
    )


async def _download(downloads: Downloads, choice: DownloadChoice) -> int:
    line = ProgressLine(sys.stderr)
    latest: DownloadProgress | None = None
    try:
        async with aclosing(downloads.download(choice)) as progress:
            async for each in progress:
                line.show(each, latest)
                latest = each
    finally:
        line.end()
    sys.stdout.write(f"{choice.target} is complete.\n")
    return 0


async def _check(downloads: Downloads, name: str) -> int:
    wrong = 0
    async with aclosing(downloads.check(name)) as found:
        async for check in found:
            sys.stdout.write(f"{check.verdict:>8}  {check.name}\n")
            wrong += check.verdict is not Verdict.INTACT
    if wrong:
        sys.stdout.write("Download the model again: only what is missing or damaged is fetched.\n")
    return min(1, wrong)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="download-model.py",
        description="Download a model, and its projector (mmproj) if there is one, from Hugging Face, or from the hub that "
        "HF_ENDPOINT names.",
    )
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        help="owner/name, owner/name:Q8_0, owner/name:branch, or an address on the hub; with --check a model's name",
    )
    add("--branch", help="branch, tag or commit")
    add("--specific-file", action="append", metavar="FILE", help="only this file; may be given several times")
    add("--exclude-pattern", metavar="REGEX", help="leave out files whose names it matches")
    add("--text-only", action="store_true", help="only configuration and tokenizer")
    add("--with-code", action="store_true", help="the model's Python files too; loading may run them")
    add("--list", action="store_true", help="show the files with their sizes and download nothing")
    add("--check", action="store_true", help="compare what was downloaded with its SHA-256 sums")
    add("--clean", action="store_true", help="start over instead of resuming an earlier attempt")
    add("--output", type=Path, metavar="FOLDER", help="folder to put the model into")
    add("--model-dir", type=Path, metavar="FOLDER", help="the same")
    add("--user-data-dir", type=Path, default=PROGRAM_FOLDER / "user_data", metavar="FOLDER")
    add("--threads", type=int, default=PARALLEL, metavar="N", help=f"files at the same time ({PARALLEL})")
    add("--max-retries", type=int, default=_RETRIES, metavar="N", help=f"attempts that may fail in a row ({_RETRIES})")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
