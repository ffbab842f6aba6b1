"""Opens a model's projector, and tries it before the model that is loaded now is given up."""

import logging
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
from llama_cpp import llama_cpp as c

from modules.backends.cores import usable_cores
from modules.backends.llamacpp.layout import ContextLayout
from modules.backends.llamacpp.library import Log
from modules.backends.llamacpp.media.projector import Projector, ProjectorOptions, Rows, set_log
from modules.backends.llamacpp.media.projector_file import ProjectorFile, read_projector
from modules.backends.llamacpp.media.reader import decode_rows
from modules.backends.llamacpp.options import LlamaCppOptions
from modules.backends.multimodal.pieces import CellPiece, TextPiece, cell_pieces
from modules.engine.types import LoadSpec, Media, MediaKind, MediaShape, ModelKind
from modules.errors import BadRequest, EngineFailed, LoadFailed

_log = logging.getLogger(__name__)
_SIDE: Final = 32
_RGB: Final = 3
# Larger than what any projector keeps: it makes the most cells of it.
_LARGEST: Final = 4096
# A model of this size is read from the disk, and computes a few cells, in seconds.
_TRIED_BYTES: Final = 4 * 2**30
_TRIED_CELLS: Final = 8
_TRIED_CONTEXT: Final = 64
_UNKNOWN: Final = "unknown projector type"


class Projectors:
    """Opens projectors for one process, whose library logs to `log`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._unfit: set[tuple[str, Path]] = set()

    def check(self, spec: LoadSpec, options: LlamaCppOptions, model: Any, width: int) -> None:
        """Has the projector of `spec` read a picture or a sound before `model`, of which the vocabulary is there, is
        loaded; `width` is what its header says. Raises LoadFailed for one that was asked for and does not work; another
        is left out."""
        if options.projector is None or spec.kind is not ModelKind.CHAT:
            return
        try:
            check_projector(spec, read_projector(options.projector), model, width, self._log)
        except LoadFailed as failure:
            self._leave_out(spec, options, failure)

    def open(self, spec: LoadSpec, options: LlamaCppOptions, model: Any, layout: ContextLayout) -> Projector | None:
        """That of `spec` for the loaded `model`. Raises LoadFailed."""
        path = options.projector
        if path is None or (spec.path, path) in self._unfit:
            return None
        threads = options.threads or usable_cores()
        own = ProjectorOptions(
            # Replies go on while it computes, on the other cores.
            threads=threads if layout.uses_gpu else max(1, threads // 2),
            uses_gpu=layout.uses_gpu,
            flash_attention=layout.flash_attention,
        )
        try:
            opened = _opened(read_projector(path), model, own, self._log, width=int(c.llama_model_n_embd_inp(model)))
        except LoadFailed as failure:
            self._leave_out(spec, options, failure)
            return None
        layout.whole_cells = most_whole_cells(opened)
        return opened

    def _leave_out(self, spec: LoadSpec, options: LlamaCppOptions, failure: LoadFailed) -> None:
        if options.projector is None or not options.has_found_projector:
            raise failure
        self._unfit.add((spec.path, options.projector))
        _log.warning("%s It was found by itself, so the model is loaded without.", failure.message)


def most_whole_cells(opened: Projector) -> int:
    """Of pictures that have to be computed in one step; 0 where none has to be."""
    kinds = [MediaKind.IMAGE] * opened.sees + [MediaKind.AUDIO] * bool(opened.audio_rate)
    most = 0
    for kind in kinds:
        pieces = opened.pieces(
            MediaShape(kind=kind, digest=bytes(32), width=_LARGEST, height=_LARGEST, samples=opened.audio_rate)
        )
        most = max(most, *(piece.count for piece in cell_pieces(pieces) if piece.is_whole), 0)
    return most


def check_projector(spec: LoadSpec, file: ProjectorFile, vocabulary_model: Any, width: int, log: Log) -> None:
    """Has the projector read a picture or a sound, and the model too if it is not very large: not every combination that
    can be opened works, and some end the process. Raises LoadFailed."""
    if width and not file.fits(width):
        made_for = ", ".join(str(size) for size in sorted(file.widths)[-1:])
        raise _refusal(
            spec,
            file.path.name,
            f"it is made for another model, which takes {made_for} numbers for each token and not {width}",
        )
    if Path(spec.path).stat().st_size > _TRIED_BYTES:
        _try(spec, file, vocabulary_model, width, log)
        return
    model = _mapped(spec)
    try:
        actual = int(c.llama_model_n_embd_inp(model))
        rows, positions = _try(spec, file, model, actual, log)
        _decode(spec, file, model, rows, positions)
    finally:
        c.llama_model_free(model)


def check_on(spec: LoadSpec, opened: Projector, context: Any) -> None:
    """What `check_projector` leaves out because the model is too large to be read twice. Raises LoadFailed."""
    if Path(spec.path).stat().st_size <= _TRIED_BYTES:
        return
    media = _sample(opened)
    with closing(opened.encode(media)) as parts:
        _, rows = next(parts)
    _decode_on(spec, opened.name, context, rows, _positions(cell_pieces(opened.pieces(media.shape))[0]))
    c.llama_memory_clear(c.llama_get_memory(context), True)


def _opened(file: ProjectorFile, model: Any, options: ProjectorOptions, log: Log, *, width: int) -> Projector:
    set_log(log.callback)
    log.errors.clear()
    try:
        return Projector(file.path, model, options, width=width)
    except LoadFailed:
        if any(_UNKNOWN in error for error in log.errors):
            raise LoadFailed(
                f"The projector {file.path.name} is of a kind ({file.kind[:40]!a}) that this llama.cpp does not know: a "
                "newer llama.cpp is needed. Update the program, or load the model with --mmproj off."
            ) from None
        # Not the library's words where they name a folder.
        said = [error.splitlines()[0] for error in log.errors if str(file.path) not in error]
        reason = f" ({said[0]})" if said else ""
        raise LoadFailed(
            f"llama.cpp cannot use the projector {file.path.name} with this model{reason}. Take the one that was made "
            "for it, or load it with --mmproj off."
        ) from None


def _try(spec: LoadSpec, file: ProjectorFile, model: Any, width: int, log: Log) -> tuple[Rows, Any]:
    """Encodes a picture or a sound. Returns its first part and that part's positions."""
    with closing(_opened(file, model, ProjectorOptions(threads=usable_cores()), log, width=width)) as opened:
        media = _sample(opened)
        try:
            pieces = opened.pieces(media.shape)
            with closing(opened.encode(media)) as parts:
                _, rows = next(parts)
        except (BadRequest, EngineFailed, StopIteration) as error:
            raise _refusal(spec, file.path.name, "it cannot read a picture or a sound") from error
        _check_tokens(spec, file, model, [piece for piece in pieces if isinstance(piece, TextPiece)])
        if not np.isfinite(rows).all():
            raise _refusal(spec, file.path.name, "what it computes is no number")
        return rows, _positions(cell_pieces(pieces)[0])


def _check_tokens(spec: LoadSpec, file: ProjectorFile, model: Any, pieces: Sequence[TextPiece]) -> None:
    """llama.cpp ends the process when it meets one that the model lacks."""
    size = int(c.llama_vocab_n_tokens(c.llama_model_get_vocab(model)))
    if any(not 0 <= token < size for piece in pieces for token in piece.tokens):
        raise _refusal(spec, file.path.name, "it needs tokens around pictures that the model does not have")


def _decode(spec: LoadSpec, file: ProjectorFile, model: Any, rows: Rows, positions: Any) -> None:
    params = c.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = _TRIED_CONTEXT
    params.n_threads = params.n_threads_batch = usable_cores()
    context = c.llama_init_from_model(model, params)
    if not context:
        raise _refusal(spec, file.path.name, "there is not enough memory to try it")
    try:
        _decode_on(spec, file.path.name, context, rows, positions)
    finally:
        c.llama_free(context)


def _decode_on(spec: LoadSpec, name: str, context: Any, rows: Rows, positions: Any) -> None:
    count = min(len(rows), _TRIED_CELLS)
    places = np.ascontiguousarray(positions[:, :count])
    if decode_rows(context, rows[:count], places, 0, has_logits=True, sees_ahead=False):
        raise _refusal(spec, name, "the model cannot read what it computes")


def _mapped(spec: LoadSpec) -> Any:
    """The whole model, out of its file and not copied anywhere: the model that is loaded now needs the memory."""
    params = c.llama_model_default_params()
    params.n_gpu_layers = 0
    params.use_extra_bufts = False
    model = c.llama_model_load_from_file(spec.path.encode(), params)
    if not model:
        raise LoadFailed(f"llama.cpp cannot load {spec.name}.")
    return model


def _sample(opened: Projector) -> Media:
    if opened.sees:
        data = bytes(_SIDE * _SIDE * _RGB)
        return Media(kind=MediaKind.IMAGE, data=data, digest=sha256(data).digest(), width=_SIDE, height=_SIDE)
    data = bytes(4 * opened.audio_rate)
    return Media(kind=MediaKind.AUDIO, data=data, digest=sha256(data).digest(), rate=opened.audio_rate)


def _positions(piece: CellPiece) -> Any:
    return np.arange(piece.count, dtype=np.int32)[np.newaxis] if piece.planes is None else piece.planes.at(0)


def _refusal(spec: LoadSpec, projector: str, why: str) -> LoadFailed:
    return LoadFailed(
        f"{spec.name} cannot be loaded with the projector {projector}: {why}. Take the projector that was made for "
        "it, or load it with --mmproj off."
    )
