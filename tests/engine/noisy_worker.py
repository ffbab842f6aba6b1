"""A model process whose backend prints on stdout wherever it can, as C libraries do."""

import os
from collections.abc import Iterable, Sequence

from typing_extensions import override

from modules.backends.scripted.backend import ScriptedBackend, ScriptedLoader, ScriptedTokenizer
from modules.engine import worker
from modules.engine.protocols import Output, ReportProgress
from modules.engine.types import LoadSpec, ModelCard


def make_noise() -> None:
    os.write(1, b"\0\0\0\x04junk from C\n")
    print("junk from Python", flush=True)  # noqa: T201 - the noise is the point


class NoisyTokenizer(ScriptedTokenizer):
    @override
    def encode(self, text: str, *, special: bool) -> list[int]:
        make_noise()
        return super().encode(text, special=special)

    @override
    def decode(self, tokens: Sequence[int]) -> str:
        make_noise()
        return super().decode(tokens)


class NoisyBackend(ScriptedBackend):
    _noisy = NoisyTokenizer()

    @property
    @override
    def tokenizer(self) -> NoisyTokenizer:
        return self._noisy

    @override
    def step(self) -> Iterable[Output]:
        make_noise()
        return super().step()

    @override
    def close(self) -> None:
        make_noise()
        super().close()


class NoisyLoader(ScriptedLoader):
    @override
    def probe(self, spec: LoadSpec) -> ModelCard:
        make_noise()
        return super().probe(spec)

    @override
    def load(self, spec: LoadSpec, report: ReportProgress) -> ScriptedBackend:
        make_noise()
        report(0.5)
        make_noise()
        return NoisyBackend(spec)


if __name__ == "__main__":
    worker.run(lambda name: NoisyLoader())
