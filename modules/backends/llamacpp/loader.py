"""Brings a GGUF file up as a backend."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from llama_cpp import llama_cpp as c

from modules.backends.base import read_options
from modules.backends.llamacpp import library
from modules.backends.llamacpp.adapters import LlamaAdapters
from modules.backends.llamacpp.backend import Companions, LlamaBackend
from modules.backends.llamacpp.control_vectors import apply_vectors, check_vectors
from modules.backends.llamacpp.disk.kept_states import kept_states, limit_of
from modules.backends.llamacpp.embedder import LlamaEmbedder
from modules.backends.llamacpp.gguf_header import read_gguf
from modules.backends.llamacpp.layout import ContextLayout, context_params, embedding_params
from modules.backends.llamacpp.media.opening import Projectors, check_on
from modules.backends.llamacpp.media.reader import MediaReader
from modules.backends.llamacpp.memory.placement import Devices, Placement
from modules.backends.llamacpp.options import (
    DEFAULT_CONTEXT,
    DRAFT_ROWS,
    GPU_PROGRAM,
    LlamaCppOptions,
    embedding_context,
    spec_of_draft,
)
from modules.backends.llamacpp.recommendations import recommendations
from modules.backends.llamacpp.refusals import Facts, check_options, check_places
from modules.backends.llamacpp.replay import replay_settings
from modules.backends.llamacpp.speculation.compatibility import can_speculate, check_draft
from modules.backends.llamacpp.speculation.draft_model import DraftModel
from modules.backends.llamacpp.speculation.planner import DraftPlanner
from modules.backends.llamacpp.tokenizer import LlamaTokenizer
from modules.backends.llamacpp.tuning.tuning import Tuning
from modules.backends.model_templates import template_beside
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard, ModelKind
from modules.errors import LoadFailed

_NUMA_DISTRIBUTE: Final = 1  # ggml-cpu.h
_MAGIC: Final = b"GGUF"
_KINDS: Final = (ModelKind.CHAT, ModelKind.EMBEDDING, ModelKind.RERANK)
_HEADS: Final = ("cls.weight", "cls.output.weight")
# llama.cpp reports every tensor, and each report is a message to the server.
_REPORT_STEP: Final = 0.01
# llama.cpp says why a load failed in its log only.
_MEMORY_WORDS: Final = ("alloc", "memory", "buffer")


class LlamaCppLoader:
    """One per process: it starts the library."""

    def __init__(self) -> None:
        self._log = library.start()
        self._projectors = Projectors(self._log)
        self._devices = Devices()

    def probe(self, spec: LoadSpec) -> ModelCard:
        _check_magic(Path(spec.path))
        if spec.kind not in _KINDS:
            raise LoadFailed(f"{spec.name} is a {spec.kind} model, which this version cannot run.")
        options = read_options(LlamaCppOptions, spec)
        params = c.llama_model_default_params()
        params.vocab_only = True
        model = _open(spec, params)
        try:
            self._check_placement(spec, options)
            check_options(spec, options, _facts(model, has_gpu=bool(self._devices.by_name())))
            _check_draft(spec, options, model)
            self._projectors.check(spec, options, model, _stated_width(model))
            check_vectors(options, _stated_width(model))
            if spec.kind is ModelKind.RERANK:
                _check_head(spec)
            if spec.kind is not ModelKind.CHAT:
                return _card(spec, model, context=embedding_context(spec.context, _trained_context(model)))
            return _card(spec, model, context=_context_size(spec, model))
        finally:
            c.llama_model_free(model)

    def load(self, spec: LoadSpec, report: ReportProgress) -> LlamaBackend | LlamaEmbedder:
        options = read_options(LlamaCppOptions, spec)
        report_main, report_draft = _shares(spec, report)
        tuning = Tuning(spec, options, report_main)
        self._log.buffers.begin()
        model = self._loaded(spec, options, tuning.report_weights)
        if spec.kind is not ModelKind.CHAT:
            return self._embedder(spec, options, model)
        with ExitStack() as undo:
            undo.callback(c.llama_model_free, model)
            options = tuning.tuned(model, self._devices.by_name(), lambda tried: self._layout(model, spec, tried))
            layout = self._layout(model, spec, options)
            projector = self._projectors.open(spec, options, model, layout)
            if projector is not None:
                undo.callback(projector.close)
            context = c.llama_init_from_model(model, context_params(options, layout))
            if not context:
                raise LoadFailed(self._why_no_context(spec, layout))
            undo.callback(c.llama_free, context)
            card = _card(spec, model, context=layout.context)
            card = replace(card, replay=replay_settings(spec, options, context))
            adapters = LlamaAdapters(model, context, spec.adapters)
            apply_vectors(model, context, options)
            if projector is not None:
                check_on(spec, projector, context)
                card = replace(
                    card, modalities=projector.modalities, audio_rate=projector.audio_rate, projector=projector.name
                )
            planner = self._planner(spec, options, card, report_draft, can_cut=layout.can_share)
            undo.pop_all()
        layout.state_bytes, layout.token_bytes = _warm_up(context)
        card = replace(card, gpu_bytes=self._gpu_bytes(), tuning=tuning.chosen)
        media = None if projector is None else MediaReader(projector, context)
        kept = kept_states(spec, options, layout, context)
        card = replace(card, disk_cache=0 if kept is None else limit_of(options))
        companions = Companions(planner=planner, media=media, adapters=adapters, kept=kept)
        return LlamaBackend(model, context, layout, card, self._log, companions=companions)

    def _gpu_bytes(self) -> int:
        found = self._log.buffers.total
        return found + GPU_PROGRAM if found else 0

    def _planner(
        self, spec: LoadSpec, options: LlamaCppOptions, card: ModelCard, report: ReportProgress, *, can_cut: bool
    ) -> DraftPlanner | None:
        """`can_cut` says whether the cache can take back single tokens."""
        if not can_speculate(spec, can_cut=can_cut):
            return None
        reads_texts = spec.ngram_tokens > 0
        rows = min(spec.ngram_tokens or DRAFT_ROWS, DRAFT_ROWS)
        draft = spec_of_draft(spec, options)
        if spec.draft is None or draft is None:
            return DraftPlanner(most=0, rows=rows, reads_texts=reads_texts)
        self._log.buffers.begin_next()
        draft_options = read_options(LlamaCppOptions, draft)
        model = self._loaded(draft, draft_options, report)
        layout = self._layout(model, draft, draft_options)
        context = c.llama_init_from_model(model, context_params(draft_options, layout))
        if not context:
            c.llama_model_free(model)
            raise LoadFailed(self._why_no_context(draft, layout))
        _warm_up(context)
        source = DraftModel(
            model,
            context,
            sequences=layout.sequences,
            vocabulary=card.vocabulary,
            keeps_idle=layout.keeps_idle,
        )
        return DraftPlanner(source, most=spec.draft.most, rows=DRAFT_ROWS, reads_texts=reads_texts)

    def _embedder(self, spec: LoadSpec, options: LlamaCppOptions, model: Any) -> LlamaEmbedder:
        """The file says how vectors are pooled; where it does not, encoders mean all tokens and others the last one."""
        size = embedding_context(spec.context, _trained_context(model))
        encodes = bool(c.llama_model_has_encoder(model)) or not bool(c.llama_model_has_decoder(model))
        context = c.llama_init_from_model(model, embedding_params(options, size, c.LLAMA_POOLING_TYPE_UNSPECIFIED))
        if context and c.llama_pooling_type(context) == c.LLAMA_POOLING_TYPE_NONE:
            c.llama_free(context)
            pooling = c.LLAMA_POOLING_TYPE_MEAN if encodes else c.LLAMA_POOLING_TYPE_LAST
            context = c.llama_init_from_model(model, embedding_params(options, size, pooling))
        if not context:
            c.llama_model_free(model)
            raise LoadFailed(f"There is not enough memory for {spec.name} with a context of {size} tokens.")
        return LlamaEmbedder(model, context, _card(spec, model, context=size), self._log)

    def _loaded(self, spec: LoadSpec, options: LlamaCppOptions, report: ReportProgress) -> Any:
        # It owns what the parameters point to.
        placement = Placement(options, self._devices)
        params = _model_params(options, placement)
        callback = _progress_callback(report)
        params.progress_callback = callback
        return _open(spec, params)

    def _layout(self, model: Any, spec: LoadSpec, options: LlamaCppOptions) -> ContextLayout:
        return ContextLayout(
            model,
            options,
            context=_context_size(spec, model),
            parallel=spec.parallel,
            has_devices=bool(self._devices.by_name()),
            drafts=spec.speculates,
        )

    def _check_placement(self, spec: LoadSpec, options: LlamaCppOptions) -> None:
        """Raises LoadFailed for what is not there, and for patterns that llama.cpp cannot read: it compiles them when it
        looks at the tensors, which needs no memory for them."""
        check_places(spec, options)
        placement = Placement(options, self._devices)
        if not options.override_tensor:
            return
        params = _model_params(options, placement)
        params.no_alloc = True
        params.load_mode = c.LLAMA_LOAD_MODE_NONE
        self._log.first_error = ""
        model = c.llama_model_load_from_file(spec.path.encode(), params)
        if not model:
            raise LoadFailed(f"{spec.name} cannot be loaded with this --override-tensor: {self._log.first_error}.")
        c.llama_model_free(model)

    def _why_no_context(self, spec: LoadSpec, layout: ContextLayout) -> str:
        said = self._log.last_error
        if said and not any(word in said.lower() for word in _MEMORY_WORDS):
            return f"llama.cpp cannot use {spec.name} with these options: {said}."
        return (
            f"There is not enough memory for {spec.name} with a context of {layout.cells} tokens. "
            "Load it with a smaller --ctx-size, or with --cache-type q8_0."
        )


def _open(spec: LoadSpec, params: Any) -> Any:
    model = c.llama_model_load_from_file(spec.path.encode(), params)
    if not model:
        raise LoadFailed(
            f"llama.cpp cannot load {spec.name}: the file is damaged, incomplete or of an architecture "
            "that this version does not know. Check its size against the original, or update."
        )
    return model


def _check_draft(spec: LoadSpec, options: LlamaCppOptions, model: Any) -> None:
    draft = spec_of_draft(spec, options)
    if draft is None:
        return
    _check_magic(Path(draft.path))
    params = c.llama_model_default_params()
    params.vocab_only = True
    drafting = _open(draft, params)
    try:
        check_draft(spec, options, model, drafting)
    finally:
        c.llama_model_free(drafting)


def _shares(spec: LoadSpec, report: ReportProgress) -> tuple[ReportProgress, ReportProgress]:
    """How to report the progress of the main model, and that of the draft model after it, by the sizes of their files."""
    if spec.draft is None:
        return report, report
    main, draft = (Path(path).stat().st_size for path in (spec.path, spec.draft.path))
    share = main / (main + draft)
    return lambda done: report(done * share), lambda done: report(share + done * (1 - share))


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        raise LoadFailed(f"{path.name} cannot be read: {error.strerror}.") from error
    if start != _MAGIC:
        raise LoadFailed(f"{path.name} is not a GGUF file.")


def _check_head(spec: LoadSpec) -> None:
    """Without one, llama.cpp returns numbers that mean nothing."""
    if not any(name in read_gguf(Path(spec.path)).tensors for name in _HEADS):
        raise LoadFailed(
            f"{spec.name} lacks the tensors that compute a score. Take a file that was converted with its classification "
            "head, or load it as a chat model that answers yes or no."
        )


def _model_params(options: LlamaCppOptions, placement: Placement) -> Any:
    params = c.llama_model_default_params()
    params.n_gpu_layers = options.gpu_layers
    params.load_mode = _load_mode(options)
    placement.apply(params)
    if options.numa:
        c.llama_numa_init(_NUMA_DISTRIBUTE)
    return params


def _load_mode(options: LlamaCppOptions) -> int:
    if options.mlock:
        return int(c.LLAMA_LOAD_MODE_MLOCK)
    return int(c.LLAMA_LOAD_MODE_NONE if options.no_mmap else c.LLAMA_LOAD_MODE_MMAP)


def _facts(model: Any, *, has_gpu: bool) -> Facts:
    architecture = library.model_metadata(model, "general.architecture") or ""

    def stated(key: str) -> int:
        value = library.model_metadata(model, f"{architecture}.{key}") or ""
        return int(value) if value.isdecimal() else 0

    heads = stated("attention.head_count")
    usual = stated("embedding_length") // heads if heads else 0
    sizes = (stated("attention.key_length") or usual, stated("attention.value_length") or usual)
    return Facts(architecture, sizes, has_gpu, _fixed_cells(model, has_window=bool(stated("attention.sliding_window"))))


def _fixed_cells(model: Any, *, has_window: bool) -> str:
    if c.llama_model_is_recurrent(model) or c.llama_model_is_hybrid(model):
        return "recurrent layers do not have"
    if has_window:
        return "sliding windows may have forgotten"
    is_rotated = c.llama_model_rope_type(model) in {c.LLAMA_ROPE_TYPE_NORM, c.LLAMA_ROPE_TYPE_NEOX}
    return "" if is_rotated else "works for models with one rotation for each position only"


def _stated_width(model: Any) -> int:
    """Numbers that stand for a token, 0 when unknown. llama.cpp itself knows it only of models that it has loaded whole."""
    architecture = library.model_metadata(model, "general.architecture")
    stated = library.model_metadata(model, f"{architecture}.embedding_length") or ""
    return int(stated) if stated.isdecimal() else 0


def _context_size(spec: LoadSpec, model: Any) -> int:
    return spec.context or _trained_context(model) or DEFAULT_CONTEXT


def _trained_context(model: Any) -> int:
    """0 when unknown. llama.cpp itself knows it only of models that it has loaded whole."""
    architecture = library.model_metadata(model, "general.architecture")
    stated = library.model_metadata(model, f"{architecture}.context_length") or ""
    return int(c.llama_model_n_ctx_train(model)) or (int(stated) if stated.isdecimal() else 0)


def _progress_callback(report: ReportProgress) -> Any:
    told = -1.0

    def tell(fraction: float, _user: Any) -> bool:
        nonlocal told
        if fraction >= told + _REPORT_STEP or fraction >= 1:
            told = fraction
            report(fraction)
        return True

    return c.llama_progress_callback(tell)


def _warm_up(context: Any) -> tuple[int, int]:
    """The first decode reads the weights from disk and takes its buffers; no request should pay for that. Returns how many
    bytes the state of a sequence of one token takes, and how many more with another."""
    batch = library.Batch(1)
    sizes: list[int] = []
    for position in range(2):
        batch.clear()
        batch.add(0, position, 0, logits=True)
        batch.decode(context)
        c.llama_synchronize(context)
        sizes.append(int(c.llama_state_seq_get_size(context, 0)))
    c.llama_memory_clear(c.llama_get_memory(context), True)
    batch.free()
    return sizes[0], sizes[1] - sizes[0]


def _card(spec: LoadSpec, model: Any, *, context: int) -> ModelCard:
    tokenizer = LlamaTokenizer(c.llama_model_get_vocab(model))
    bos, eos = tokenizer.bos_id, tokenizer.eos_id
    return ModelCard(
        name=spec.name,
        loader=spec.loader,
        context=context,
        trained_context=_trained_context(model),
        vocabulary=tokenizer.size,
        parallel=spec.parallel,
        architecture=library.model_metadata(model, "general.architecture") or "",
        parameters=int(c.llama_model_n_params(model)),
        size_bytes=int(c.llama_model_size(model)),
        chat_template=library.model_metadata(model, "tokenizer.chat_template")
        or template_beside(Path(spec.path).parent),
        instruction_template=spec.instruction_template,
        bos_token="" if bos is None else tokenizer.shown(bos).decode("utf-8", "replace"),
        eos_token="" if eos is None else tokenizer.shown(eos).decode("utf-8", "replace"),
        bos_id=bos,
        eos_ids=tuple(sorted(tokenizer.end_ids)),
        adds_bos=tokenizer.adds_bos,
        control_tokens=tokenizer.control_texts(),
        infill_tokens=tokenizer.infill_ids,
        can_constrain=True,
        can_adapt=spec.kind is ModelKind.CHAT,
        adapters=tuple(adapter.name for adapter in spec.adapters),
        draft=spec.draft.name if spec.draft is not None else "",
        kind=spec.kind,
        recommended_sampling=recommendations(lambda key: library.model_metadata(model, key)),
        embedding_size=_row_size(spec, model),
        embedding_frame=tokenizer.frame() if spec.kind is ModelKind.EMBEDDING else ((), ()),
        pair_frame=tokenizer.pair_frame() if spec.kind is ModelKind.RERANK else (),
    )


def _row_size(spec: LoadSpec, model: Any) -> int:
    """How many numbers a text gives: those of its vector, or a pair's scores."""
    if spec.kind is ModelKind.RERANK:
        return max(1, int(c.llama_model_n_cls_out(model)))
    return int(c.llama_model_n_embd(model)) if spec.kind is ModelKind.EMBEDDING else 0
