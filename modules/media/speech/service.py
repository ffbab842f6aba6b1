"""Texts → sound, sentence by sentence, with a speech model that the pool has loaded."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from modules.backends.registry import Backends
from modules.backends.speaking.questions import SOUND_PIECES, Delivery, Say, SoundFormat, SoundPiece
from modules.backends.speaking.spec import SpeechBackendSpec
from modules.engine.protocols import MediaEngine
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import Busy, LoadFailed, NotInstalled
from modules.media.speech.sentences import Sentence, sentences
from modules.media.speech.voices import Mix, SpeechModel, chosen_voice
from modules.models.pool import ModelPool

# Sentences of so many take turns; each reply still has to be faster than it is heard.
_AT_ONCE: Final = 2
_RETRY_SECONDS: Final = 5
_MISSING: Final = (
    "There is no speech model. Get one with `python3 one_click.py fetch speech`, or put a Kokoro folder or a Piper voice "
    "into the model folder."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """`model` may be any name; those of speech models, and of their makes, choose. `is_plain`: nothing in the text is
    Markdown, an address or a picture that is to be left out."""

    text: str
    format: SoundFormat
    model: str | None = None
    voice: str | None = None
    speed: float = 1.0
    volume: float = 1.0
    language: str = ""
    is_plain: bool = False
    keep_alive: float | None = None


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """Sound of a sentence: the next piece of the file, what it lasts, and the phonemes that were read."""

    model: str
    data: bytes
    seconds: float
    phonemes: int


class SpeechService:
    """`max_queue` replies wait, and more are told to try again later. `default_voice` is that of requests that name none."""

    def __init__(self, models: ModelPool, backends: Backends, *, default_voice: str = "", max_queue: int = 256) -> None:
        self._models = models
        self._backends = backends
        self._default_voice = default_voice
        self._max_queue = max_queue
        self._numbers = itertools.count(1)
        self._begun = 0
        self._turns = asyncio.Semaphore(_AT_ONCE)
        # Told to the engine with the next sentence: whoever hung up shall not wait for its turn.
        self._over: list[int] = []

    async def models(self) -> tuple[SpeechModel, ...]:
        """Those on disk, the default one first; what is damaged is left out. Raises NotInstalled when the operator's is
        not there."""
        specs = await self._models.choices(ModelKind.SPEECH)
        return await asyncio.to_thread(self._described, specs)

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[SpokenSentence, None]:
        """The sound of each sentence as soon as it is made; joined, they are one file. Closing the generator stops after
        the sentence that is being spoken. Raises BadRequest, Busy, NotInstalled, LoadFailed, NoRoom, EngineFailed."""
        model, mix = await self._chosen(request.model, request.voice)
        said = await asyncio.to_thread(sentences, request.text, is_plain=request.is_plain)
        async with (
            self._turn(),
            self._models.lease(_name_of(model), kind=ModelKind.SPEECH, keep_alive=request.keep_alive) as engine,
        ):
            spoken = self._spoken(engine, request, mix, said or [Sentence("", 0.0)])
            async with aclosing(spoken) as pieces:
                async for piece in pieces:
                    yield piece

    async def _spoken(
        self, engine: MediaEngine, request: SpeechRequest, mix: Mix, said: Sequence[Sentence]
    ) -> AsyncGenerator[SpokenSentence, None]:
        reply, delivery = next(self._numbers), Delivery(mix, request.speed, request.volume, request.language)
        last = len(said) - 1
        is_whole = False
        try:
            for at, sentence in enumerate(said):
                over, self._over = tuple(self._over), []
                pause = sentence.pause / max(request.speed, 1.0) if at < last else 0.0
                say = Say(reply, sentence.text, delivery, request.format, pause, at == last, over)
                # Read to the end before any of it is passed on: others wait for the engine meanwhile.
                pieces = await _pieces(engine, say)
                is_whole = at == last
                yield SpokenSentence(
                    engine.card.name,
                    b"".join(piece.data for piece in pieces),
                    sum(piece.seconds for piece in pieces),
                    sum(piece.phonemes for piece in pieces),
                )
        finally:
            if not is_whole:
                self._over.append(reply)

    async def load(self, voice: str | None) -> None:
        """Has the voice's model loaded before there is anything to say. Raises like `speak`."""
        model, _ = await self._chosen(None, voice)
        async with self._models.lease(_name_of(model), kind=ModelKind.SPEECH):
            pass

    async def _chosen(self, model: str | None, voice: str | None) -> tuple[SpeechModel, Mix]:
        models = await self.models()
        if not models:
            raise NotInstalled(_MISSING, param="model")
        return chosen_voice(_meant(models, model), voice or self._default_voice or None)

    def _described(self, specs: Sequence[LoadSpec]) -> tuple[SpeechModel, ...]:
        found = []
        for spec in specs:
            backend = self._backends.named(spec.loader)
            with suppress(LoadFailed):
                if isinstance(backend, SpeechBackendSpec) and (voices := backend.voices_of(spec)).names:
                    found.append(SpeechModel(spec.name, voices, is_default=spec is specs[0]))
        return tuple(found)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._begun >= _AT_ONCE + self._max_queue:
            raise Busy(
                f"{self._begun} texts are being spoken or wait already. Try again later.", retry_after=_RETRY_SECONDS
            )
        self._begun += 1
        try:
            async with self._turns:
                yield
        finally:
            self._begun -= 1


def _name_of(model: SpeechModel) -> str | None:
    """As leases take it: the default one is that of no name."""
    return None if model.is_default else model.name


async def _pieces(engine: MediaEngine, say: Say) -> list[SoundPiece]:
    async with aclosing(engine.stream(say, SOUND_PIECES)) as pieces:
        return [piece async for piece in pieces]


def _meant(models: Sequence[SpeechModel], name: str | None) -> Sequence[SpeechModel]:
    """Those that a request means by the name of a model: one, those of a make, or all."""
    asked = (name or "").strip().lower()
    exact = [model for model in models if asked in _names_of(model.name)]
    family = [model for model in models if asked and asked.startswith(model.voices.family)]
    return exact or family or models


def _names_of(name: str) -> set[str]:
    """The name of the list, the file's own, and that without its ending."""
    whole = name.lower()
    file = whole.rpartition("/")[2]
    return {whole, whole.rpartition(".")[0] or whole, file, file.rpartition(".")[0] or file}
