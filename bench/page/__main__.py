"""The web page in a real Chromium: how fast it opens and what it asks for, what follows the user's acts, how it feels while
words stream into a long chat, what thousands of chats cost, and what a tab and the server hold after many replies.

Usage: python -m bench.page [--rounds 5] [--chats 1000 10000] [--replies 200] [--before COMMIT] [--only opening ...]
       python -m bench.page --only pace --model MODEL.gguf

Needs Chromium and requirements/dev.txt. The model's part is played by the scripted backend in its own process, but for
`pace`, which compares the speed that the page tells of with what a client of the API measures, on a real model. --before
names an earlier commit, or a folder with its files, whose openings and lists are measured in turn with those of today. Each
group takes less than four minutes on two cores; with --before, opening and lists take twice as long.
"""

import argparse
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from bench.page.acting import acting_figures
from bench.page.lists import list_figures
from bench.page.opening import first_key_figures, opening_figures
from bench.page.pace import pace_figures, write_settings
from bench.page.serving import Figure, Server, serving, write_long_chat, write_many_chats
from bench.page.streaming import streaming_figures
from bench.page.use import memory_figures
from bench.servers import ROOT

_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_BEFORE: Final = ", before"


def _opening(browser: Browser, given: argparse.Namespace) -> Iterator[Figure]:
    with _servers(given, _prepare_nothing) as servers:
        yield from opening_figures(browser, servers, given.rounds, "empty")


def _acting(browser: Browser, given: argparse.Namespace) -> Iterator[Figure]:
    with _servers(given, write_long_chat, is_alone=True) as servers:
        yield from acting_figures(browser, servers[""], given.rounds)


def _pace(browser: Browser, given: argparse.Namespace) -> Iterator[Figure]:
    if given.model is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        write_settings(Path(folder))
        with serving(Path(folder), model=given.model) as server:
            yield from pace_figures(browser, server, given.rounds)


def _streaming(browser: Browser, given: argparse.Namespace) -> Iterator[Figure]:
    with _servers(given, write_long_chat, is_alone=True) as servers:
        yield from streaming_figures(browser, servers[""])


def _memory(browser: Browser, given: argparse.Namespace) -> Iterator[Figure]:
    with _servers(given, _prepare_nothing, is_alone=True) as servers:
        yield from memory_figures(browser, servers[""], given.replies)


def _lists(browser: Browser, given: argparse.Namespace) -> Iterator[Figure]:
    for count in given.chats:
        began = time.monotonic()
        with _servers(given, partial(write_many_chats, count=count)) as servers:
            yield Figure(f"all servers start, {count} chats", time.monotonic() - began, "s", "as without")
            yield from first_key_figures(browser, servers, given.rounds, f"{count} chats")
            for name, server in servers.items():
                yield from list_figures(browser, server, given.rounds, count, f"{count} chats{name}")


_GROUPS: Final[Mapping[str, Callable[[Browser, argparse.Namespace], Iterator[Figure]]]] = {
    "opening": _opening,
    "acting": _acting,
    "pace": _pace,
    "streaming": _streaming,
    "memory": _memory,
    "lists": _lists,
}


@contextmanager
def _servers(
    given: argparse.Namespace, prepare: Callable[[Path], None], *, is_alone: bool = False
) -> Iterator[dict[str, Server]]:
    """Of this checkout, called "", and of the earlier one, each with user data of its own."""
    checkouts = {"": ROOT} if is_alone or not given.before else {"": ROOT, _BEFORE: given.before}
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name, checkout in checkouts.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            prepare(folder)
            servers[name] = stack.enter_context(serving(folder, checkout))
        yield servers


@contextmanager
def _checkout(before: str) -> Iterator[Path | None]:
    """The files of a commit, for as long as they are needed; a folder that has them as it is."""
    if not before or Path(before).is_dir():
        yield Path(before) if before else None
        return
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "files.tar"
        subprocess.run(["git", "archive", "--output", packed, before], cwd=ROOT, check=True)
        with tarfile.open(packed) as files:
            files.extractall(Path(folder) / "files", filter="data")
        yield Path(folder) / "files"


def _prepare_nothing(folder: Path) -> None:
    """A first start."""


def measured(given: argparse.Namespace) -> Iterator[Figure]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        for group in given.only:
            yield from _GROUPS[group](browser, given)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chats", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--replies", type=int, default=200)
    parser.add_argument("--before", type=str, default="")
    parser.add_argument("--model", type=Path, help="for pace, which is left out without it")
    parser.add_argument("--only", nargs="+", choices=_GROUPS, default=list(_GROUPS))
    given = parser.parse_args()
    print("| what | measured | unit | goal |\n|---|---|---|---|")
    with _checkout(given.before) as given.before:
        for figure in measured(given):
            print(f"| {figure.name} | {figure.value:.3g} | {figure.unit} | {figure.goal} |", flush=True)


if __name__ == "__main__":
    main()
