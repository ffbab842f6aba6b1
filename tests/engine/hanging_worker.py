"""A model process that comes to hang: its argument says how, each as a real library could."""

import ctypes
import sys
import threading
from collections.abc import Iterable, Sequence

from typing_extensions import override

from modules.backends.scripted.backend import ScriptedBackend, ScriptedLoader, ScriptedTokenizer
from modules.engine import worker
from modules.engine.protocols import Output, ReportProgress
from modules.engine.types import LoadSpec, ModelCard

WAYS = ("step", "step with the lock", "tokenizer", "load", "probe")


def hang(*, keeps_lock: bool = False) -> None:
    """In C, where no signal of Python's gets it out again."""
    (ctypes.PyDLL if keeps_lock else ctypes.CDLL)(None).pause()
    threading.Event().wait()


class HangingTokenizer(ScriptedTokenizer):
    @override
    def encode(self, text: str, *, special: bool) -> list[int]:
        if WAY == "tokenizer" and text == "hang":
            hang()
        return super().encode(text, special=special)


class HangingBackend(ScriptedBackend):
    _hanging = HangingTokenizer()

    @property
    @override
    def tokenizer(self) -> HangingTokenizer:
        return self._hanging

    @override
    def step(self) -> Iterable[Output]:
        outputs: Sequence[Output] = list(super().step())
        if WAY.startswith("step") and any(output.data == b"!" for output in outputs):
            hang(keeps_lock=WAY.endswith("lock"))
        return outputs


class HangingLoader(ScriptedLoader):
    @override
    def probe(self, spec: LoadSpec) -> ModelCard:
        if WAY == "probe":
            hang()
        return super().probe(spec)

    @override
    def load(self, spec: LoadSpec, report: ReportProgress) -> ScriptedBackend:
        report(0.5)
        if WAY == "load":
            hang()
        return HangingBackend(spec)


if __name__ == "__main__":
    WAY = sys.argv[1]
    worker.run(lambda name: HangingLoader())
