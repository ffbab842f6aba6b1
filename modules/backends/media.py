"""What the program knows of a media engine: a backend whose models are asked by messages of their own."""

import os
from abc import abstractmethod
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import BackendSpec
from modules.engine.protocols import Loader, MediaLoader
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed
from modules.process.limits import ProcessLimits
from modules.process.spec import ErrorOutput, ProcessSpec

# Text comes first: model processes of text have a lower one.
_NICENESS: Final = 10
_START_SECONDS: Final = 120.0
# Beyond what was estimated, before a process counts as one that takes memory without end.
_SLACK: Final = 2**31
# The program finds its models itself, and reports to nobody.
_OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class MediaBackendSpec(BackendSpec):
    """`kind` is what all its models are for. `implementation` is its `MediaLoader`, in a module that only the child
    imports; `entry` starts the child.

    `fetch_words` are those after `one_click.py fetch` that install its packages, where the kind alone gets other ones.
    A question whose caller has gone is given `cancel_seconds` to stop before the child is ended, None any time.
    """

    kind: ClassVar[ModelKind]
    fetch_words: ClassVar[str] = ""
    entry: ClassVar[str] = "modules.backends.serving:run_media"
    cancel_seconds: ClassVar[float | None] = 60.0

    @override
    @abstractmethod
    def reads(self, path: Path) -> bool:
        """Like `BackendSpec.reads`. What lies in a folder that it reads is not listed besides."""

    @override
    def kind_of(self, path: Path) -> ModelKind:
        return self.kind

    @override
    def loader(self) -> Loader:
        raise LoadFailed(f"The {self.name} loader is for {self.kind}, not for text.")

    def media_loader(self) -> MediaLoader:
        """Imports the library, in the child. May raise ImportError."""
        module, _, name = self.implementation.partition(":")
        made: MediaLoader = getattr(import_module(module), name)()
        return made

    def most_memory(self, spec: LoadSpec) -> int:
        """Bytes of main memory at which the child is ended. Blocks; raises LoadFailed."""
        return 2 * self.estimate(spec).host + _SLACK

    def process(self, spec: LoadSpec) -> ProcessSpec:
        """It gets all of this process's variables, as drivers and libraries are configured by many. Blocks; raises
        LoadFailed."""
        threads = dict.fromkeys(_THREADS, str(spec.threads))
        return ProcessSpec(
            name=f"the process of {spec.name}",
            entry=self.entry,
            environment={**os.environ, **_OFFLINE, **threads},
            limits=ProcessLimits(memory_bytes=self.most_memory(spec), is_resident=True, niceness=_NICENESS),
            # What libraries print can hold what users wrote.
            error_output=ErrorOutput.COUNT,
            start_seconds=_START_SECONDS,
            cancel_seconds=self.cancel_seconds,
        )
