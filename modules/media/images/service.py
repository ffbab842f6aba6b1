"""Pictures, with an image model that the pool has loaded."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Final

import msgspec

from modules.backends.imaging.messages import Bitmap, DescribeImageModel, ImageCard, ImageDone, StepDone
from modules.engine.protocols import MediaEngine
from modules.engine.types import ModelKind
from modules.errors import EngineFailed
from modules.media.images.codec import PictureCodec, picture_codec
from modules.media.images.codec_messages import EncodePicture, FitPictures, FittedPictures, OpenedPictures, OpenPictures
from modules.media.images.gallery import ImageGallery
from modules.media.images.jobs import ImageJob, ImageJobs
from modules.media.images.metadata import settings_text
from modules.media.images.passes import answers_of, in_two_passes
from modules.media.images.plan import Drawing, planned
from modules.media.images.requests import DrawingBegun, DrawingEvent, DrawingStep, FinishedImage, ImageRequest, Size
from modules.media.images.terminal import TerminalProgress
from modules.models.pool import ModelPool
from modules.models.roster import own_media
from modules.settings.values import Settings

_log = logging.getLogger(__name__)
_CARD: Final = msgspec.msgpack.Decoder(ImageCard)


class ImageService:
    """`jobs` are the drawings under way, `gallery` the pictures that were kept."""

    def __init__(self, models: ModelPool, gallery: ImageGallery, settings: Settings) -> None:
        self._models = models
        self._settings = settings
        self._progress = TerminalProgress() if settings.image_terminal else None
        self.gallery = gallery
        self.jobs = ImageJobs(settings.image_max_queue)
        # The engine whose card was asked for last, with it.
        self._described: tuple[MediaEngine, ImageCard] | None = None

    async def card(self, name: str | None = None) -> ImageCard:
        """Of the model that `name` means; it is loaded if it has to be. Raises what `draw` would."""
        async with self._models.lease(name, kind=ModelKind.IMAGE) as engine:
            return await self._card_of(engine)

    def known_card(self) -> ImageCard | None:
        """Of the model that was used last, if it is still loaded."""
        return self._described[1] if self._described is not None and self._described[0].is_alive else None

    async def model_names(self) -> list[str]:
        """Those that can draw: what is on disk or named, and otherwise what needs no file."""
        return await asyncio.to_thread(self._names)

    async def draw(self, request: ImageRequest, *, owner: str) -> AsyncGenerator[DrawingEvent, None]:
        """DrawingBegun, a DrawingStep for each step, and each picture when it is finished. Closing the generator cancels, and
        so does `jobs.stop`, after which it ends with the pictures that are finished. Raises BadRequest, NotSupported,
        NotInstalled, LoadFailed, NoRoom, Busy, EngineFailed."""
        with self.jobs.opened(owner, request.count) as job:
            async with aclosing(job.until_stopped(self._drawn(request, job))) as events:
                async for event in events:
                    yield event

    def _names(self) -> list[str]:
        models = self._models
        loaded = [state.name for state in models.models if state.kind is ModelKind.IMAGE and state.name]
        listed = [name for name in models.list_models() if models.kind_of(name) is ModelKind.IMAGE]
        found = list(dict.fromkeys((*loaded, *listed)))
        own = own_media(self._settings).items()
        return found or [name for name, spec in own if spec.kind is ModelKind.IMAGE]

    async def _drawn(self, request: ImageRequest, job: ImageJob) -> AsyncGenerator[DrawingEvent, None]:
        async with self.jobs.turn, picture_codec() as codec:
            opened = await codec.open(_files_of(request)) if request.sources else None
            async with self._models.lease(request.model, kind=ModelKind.IMAGE) as engine:
                job.is_drawing = True
                drawing = planned(request, await self._card_of(engine), opened)
                fitted = await codec.fit(_fit(drawing)) if opened is not None else None
                _log.info(
                    "drawing %d × %s in %d steps with %s",
                    job.count,
                    drawing.finished,
                    drawing.steps,
                    drawing.card.name,
                )
                yield _begun(drawing, opened)
                async with aclosing(self._pictures(engine, codec, drawing, fitted, job)) as events:
                    async for event in events:
                        yield event

    async def _pictures(
        self, engine: MediaEngine, codec: PictureCodec, drawing: Drawing, fitted: FittedPictures | None, job: ImageJob
    ) -> AsyncGenerator[DrawingEvent, None]:
        question = drawing.question(*_parts(fitted))
        drawn = in_two_passes(engine, codec, drawing, question) if drawing.is_twice else answers_of(engine, question)
        with self._shown(job) as show:
            async with aclosing(drawn) as answers:
                async for answer in answers:
                    match answer:
                        case StepDone(index=index, step=step, steps=steps, preview=preview):
                            job.index, job.step, job.steps = index, step, steps
                            show(job)
                            file = await _preview(codec, drawing, preview) if preview is not None else None
                            job.preview = file or job.preview
                            yield DrawingStep(index=index, step=step, steps=steps, preview=file)
                        case ImageDone(index=index, seed=seed, bitmap=bitmap):
                            finished = await self._finished(codec, drawing, index, seed, bitmap)
                            job.index, job.step = index + 1, 0
                            yield finished
        if job.index < job.count:
            raise EngineFailed(f"{drawing.card.name} made {job.index} of {job.count} pictures.")

    async def _finished(
        self, codec: PictureCodec, drawing: Drawing, index: int, seed: int, bitmap: Bitmap
    ) -> FinishedImage:
        if not bitmap.is_sound or (bitmap.width, bitmap.height) != drawing.made:
            raise EngineFailed(f"{drawing.card.name} made a picture of another size than it was asked for.")
        settings, encoding = drawing.settings(seed), drawing.request.encoding
        file = await codec.encode(
            EncodePicture(
                bitmap=bitmap,
                format=encoding.format,
                quality=encoding.quality,
                is_finished=True,
                text=settings_text(settings) if encoding.has_settings else "",
            )
        )
        name = ""
        if drawing.request.is_kept:
            name = await asyncio.to_thread(self.gallery.save, file.data, encoding.format, seed, index, settings)
        size = Size(file.width, file.height)
        return FinishedImage(index=index, seed=seed, size=size, data=file.data, settings=settings, name=name)

    @contextmanager
    def _shown(self, job: ImageJob) -> Iterator[Callable[[ImageJob], None]]:
        """What shows the progress of `job`, for as long as it draws."""
        began = time.monotonic()
        try:
            yield self._progress.show if self._progress is not None else lambda _job: None
        finally:
            if self._progress is not None:
                self._progress.end()
            _log.info("drew %d of %d pictures in %.1f s", job.index, job.count, time.monotonic() - began)

    async def _card_of(self, engine: MediaEngine) -> ImageCard:
        if self._described is None or self._described[0] is not engine:
            card = await engine.ask(DescribeImageModel(), _CARD)
            # The pool knows the name that it was loaded by.
            self._described = engine, msgspec.structs.replace(card, name=engine.card.name)
        return self._described[1]


async def _preview(codec: PictureCodec, drawing: Drawing, bitmap: Bitmap) -> bytes:
    encoding = drawing.request.encoding
    question = EncodePicture(bitmap=bitmap, format=encoding.format, quality=encoding.quality, is_finished=False)
    return (await codec.encode(question)).data


def _files_of(request: ImageRequest) -> OpenPictures:
    return OpenPictures(request.sources, request.mask, request.mask_kind)


def _fit(drawing: Drawing) -> FitPictures:
    request = drawing.request
    return FitPictures(
        drawn=drawing.drawn,
        finished=drawing.finished,
        stretches=request.stretches,
        uses_mask=drawing.uses_mask,
        mask_blur=request.mask_blur,
        reference_side=max(drawing.card.width, drawing.card.height),
    )


def _parts(fitted: FittedPictures | None) -> tuple[Bitmap | None, bytes | None, tuple[Bitmap, ...]]:
    return (None, None, ()) if fitted is None else (fitted.source, fitted.mask, fitted.references)


def _begun(drawing: Drawing, opened: OpenedPictures | None) -> DrawingBegun:
    return DrawingBegun(
        model=drawing.card.name,
        size=drawing.finished,
        steps=drawing.steps,
        seeds=drawing.seeds,
        is_transparent=drawing.is_transparent,
        source_sizes=tuple(Size(*size) for size in opened.sizes) if opened is not None else (),
    )
