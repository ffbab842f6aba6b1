"""A media engine in few lines, which a test adds to those that ship: its models are files that end in .voice."""

from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import ClassVar, NoReturn

import msgspec
from typing_extensions import override

from modules.backends.base import MemoryEstimate
from modules.backends.media import MediaBackendSpec
from modules.backends.registry import BACKENDS, Backends
from modules.engine import media_worker
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard, ModelKind
from modules.errors import BadRequest, LoadFailed
from modules.process.server import Task

MIB = 2**20


class Say(msgspec.Struct, frozen=True, tag=True):
    text: str


class Count(msgspec.Struct, frozen=True, tag=True):
    """Without end."""


class TakeMemory(msgspec.Struct, frozen=True, tag=True):
    """Until the process is ended."""


class Fail(msgspec.Struct, frozen=True, tag=True):
    """With an error of its own code."""


class Piece(msgspec.Struct, frozen=True):
    sound: bytes
    voice: str = ""


class ToyVoice(MediaBackendSpec):
    name: ClassVar[str] = "toy voice"
    kind: ClassVar[ModelKind] = ModelKind.SPEECH
    implementation: ClassVar[str] = "tests.backends.toy_media:ToyLoader"
    entry: ClassVar[str] = "tests.backends.toy_media:run"
    format: ClassVar[str] = "VOICE"
    endings: ClassVar[tuple[str, ...]] = (".voice",)

    @override
    def reads(self, path: Path) -> bool:
        return path.suffix == ".voice"

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        return MemoryEstimate(host=60 * MIB)

    @override
    def most_memory(self, spec: LoadSpec) -> int:
        return 300 * MIB


class ToyImage(ToyVoice):
    """Its model needs no file; its files are folders."""

    name: ClassVar[str] = "toy image"
    kind: ClassVar[ModelKind] = ModelKind.IMAGE
    implementation: ClassVar[str] = "tests.no_such_package:Loader"
    own_model: ClassVar[str | None] = "toy-image"

    @override
    def reads(self, path: Path) -> bool:
        return (path / "model_index.json").is_file()


class ToyLoader:
    questions = Say | Count | TakeMemory | Fail

    def probe(self, spec: LoadSpec) -> ModelCard:
        if not (text := Path(spec.path).read_text("utf-8")).startswith("voice"):
            raise LoadFailed(f"{spec.name} is damaged.")
        return ModelCard(name=spec.name, loader=spec.loader, context=0, vocabulary=0, kind=spec.kind, architecture=text)

    def load(self, spec: LoadSpec, report: ReportProgress) -> "ToyModel":
        for step in range(1, 5):
            report(step / 4)
        return ToyModel(self.probe(spec))


class ToyModel:
    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def answer(self, question: object, task: Task) -> Iterator[Piece]:
        match question:
            case Say(text) if not text:
                raise BadRequest("There is nothing to say.", param="input")
            case Say(text):
                yield from (Piece(word.encode(), self.card.architecture) for word in text.split())
            case Count():
                while True:
                    yield Piece(b"one")
            case TakeMemory():
                taken = [bytes(MIB)]
                yield Piece(b"begun")
                while True:
                    taken.append(b"x" * 8 * MIB)
                    # The watch looks once a second; the machine is not to suffer meanwhile.
                    sleep(0.01)
            case Fail():
                raise ValueError


_OF_TEXT = [spec for spec in BACKENDS if not isinstance(spec, MediaBackendSpec)]
WITH_MEDIA = Backends((*_OF_TEXT, ToyVoice(), ToyImage()))


def run() -> NoReturn:
    media_worker.run(WITH_MEDIA.media_loader_for)
