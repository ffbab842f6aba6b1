"""What `one_click.py` does with each of its commands."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from installer import checks, doctor, exllamav3, install, launch, update
from installer.arguments import CommandLine, models_folder, parse, user_data_folder
from installer.console import Console
from installer.diagnosis import cures
from installer.failures import StepFailed
from installer.fetch import ModelFetch, chosen
from installer.hardware import look
from installer.install import Wish
from installer.offers import requirements_of
from installer.paths import Layout

HELP = """\
Sets everything up in installer_files/ and starts the server. Nothing outside this folder is changed.

  python3 one_click.py [server flags]     set up what is missing, then run server.py with these flags
                                          (for example --api); all of them: one_click.py --api --help
  python3 one_click.py install            set up what is missing, start nothing
  python3 one_click.py install exllamav3  the same, and the package for models in the EXL3 format (NVIDIA's cards)
  python3 one_click.py update             git pull, then install what changed
  python3 one_click.py fetch KIND [MODEL] get a good small model and the packages it needs: embedding, rerank, speech,
                                          transcription, vision, moderation or image
  python3 one_click.py bench [MODEL]      how fast a model is on this machine, in a minute, as a table to paste
  python3 one_click.py doctor             what was found here, what is missing, and what to do about it
  python3 one_click.py test [pytest args] set up what the tests need, then run them
  python3 one_click.py check              formatting, lint, types, the page's scripts, architecture tests

  --set NAME     the requirement set, one of cpu, cuda (NVIDIA), rocm (AMD), apple, intel, full;
                 'auto' looks at the hardware again. It is remembered. Without it the hardware decides.

  CMAKE_ARGS in the environment is added to the arguments with which llama-cpp-python is compiled.
  TEST_MODELS_DIR is the folder of the tests' models (default: installer_files/test_models),
  TEST_CLIENTS_DIR that of the clients they run (default: installer_files/test_clients).

Every other argument goes to server.py exactly as it is given. The set-up asks no questions; when it is interrupted,
the same command goes on where it stopped.
"""

INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status, unless the process goes on as another program."""
    layout = Layout(Path(__file__).resolve().parent.parent)
    console = Console()
    signal.signal(signal.SIGTERM, _leave)
    try:
        return _run(parse(arguments), layout, console)
    except StepFailed as failure:
        return _report(failure, console)
    except OSError as problem:
        return _report(
            StepFailed(f"A file or folder stands in the way: {problem}", advice=cures([str(problem)])), console
        )
    except KeyboardInterrupt:
        console.plain()
        console.plain("Interrupted. Run the same command again: it goes on where it stopped.")
        return INTERRUPTED


def _run(line: CommandLine, layout: Layout, console: Console) -> int:
    if line.command == "help":
        console.plain(HELP)
    elif line.command == "doctor":
        return doctor.run(layout, console)
    elif line.command == "update":
        update.run(layout, console)
    elif line.command == "fetch":
        _fetch(line, layout, console)
    elif line.command == "bench":
        _bench(line, layout, console)
    elif line.command == "check":
        install.ensure(layout, Wish(line.set_name, with_dev=True, with_test_clients=True), console)
        return checks.run(layout, console)
    elif line.command == "test":
        wish = Wish(line.set_name, with_dev=True, test_models_folder=layout.test_models, with_test_clients=True)
        install.ensure(layout, wish, console)
        launch.tests(layout, line.rest)
    else:
        _serve(line, layout, console)
    return 0


def _fetch(line: CommandLine, layout: Layout, console: Console) -> None:
    needed = requirements_of(line.rest[0] if line.rest else "", chosen(line.rest))
    install.ensure(layout, Wish(line.set_name, extra_set=needed), console)
    folders = models_folder((), layout.root), user_data_folder((), layout.root)
    ModelFetch(layout, console, *folders).run(line.rest)


def _bench(line: CommandLine, layout: Layout, console: Console) -> None:
    named = line.rest[:1] if line.rest and not line.rest[0].startswith("-") else ()
    flags = (*(("--model", *named) if named else ()), *line.rest[len(named) :])
    install.ensure(layout, Wish(line.set_name, starter_folder=models_folder(flags, layout.root)), console)
    launch.benchmark(layout, flags)


def _serve(line: CommandLine, layout: Layout, console: Console) -> None:
    folder = models_folder(line.rest, layout.root)
    wants_exllama = line.command == "install" and exllamav3.PACKAGE in line.rest
    extra = "torch.txt" if wants_exllama else None
    install.ensure(layout, Wish(line.set_name, starter_folder=folder, extra_set=extra), console)
    if line.command == "install":
        if wants_exllama:
            exllamav3.ExLlamaV3(layout, console, look(), exllamav3.read_address).install()
        console.plain("Everything is set up.")
    else:
        launch.server(layout, line.rest)


def _report(failure: StepFailed, console: Console) -> int:
    console.plain()
    for line in failure.lines():
        console.plain(line)
    return 1


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
