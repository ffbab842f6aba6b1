"""Whether one model can draft for another: their token ids have to mean the same."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from llama_cpp import llama_cpp as c

from modules.backends.llamacpp import library
from modules.backends.llamacpp.gguf_header import kind_of_gguf
from modules.backends.llamacpp.options import LlamaCppOptions
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed

_log = logging.getLogger(__name__)
# As llama.cpp's own speculative decoding compares vocabularies (common/speculative.cpp): sizes may differ by padding,
# and the first ids are for control tokens that some conversions spell differently.
_MAX_SIZE_DIFFERENCE: Final = 128
# Control tokens stand at the beginning and may be named differently.
_FIRST_COMPARED: Final = 5


def can_speculate(spec: LoadSpec, *, can_cut: bool) -> bool:
    """`can_cut` says whether the cache can take back single tokens. What a constraint forces needs no taking back."""
    if spec.speculates and not can_cut:
        _log.info("%s: no tokens are drafted, because its cache cannot take back wrong ones.", spec.name)
    return spec.speculates and can_cut


def check_draft(spec: LoadSpec, options: LlamaCppOptions, main: Any, draft: Any) -> None:
    """Raises LoadFailed, in a sentence that says what to choose instead. The weights need not be loaded."""
    assert spec.draft is not None
    for refusal in (
        *_of_main(spec, options, main),
        *_of_draft(Path(spec.draft.path), draft),
        *_of_vocabularies(main, draft),
    ):
        raise LoadFailed(f"{spec.draft.name} cannot draft for {spec.name}: {refusal}", param="model_draft")


def _of_main(spec: LoadSpec, options: LlamaCppOptions, main: Any) -> Iterator[str]:
    if _cannot_forget(main):
        yield (
            f"{spec.name} is a recurrent model, which cannot take back tokens that a draft got wrong. Leave out "
            "--model-draft."
        )
    architecture = library.model_metadata(main, "general.architecture")
    if not options.swa_full and library.model_metadata(main, f"{architecture}.attention.sliding_window"):
        yield "drafts need the full cache of sliding windows. Leave out --no-swa-full, or --model-draft."


def _of_draft(path: Path, draft: Any) -> Iterator[str]:
    if kind_of_gguf(path) is not ModelKind.CHAT or c.llama_model_has_encoder(draft):
        yield "it does not write text. Choose a smaller model of the same family."
    elif _cannot_forget(draft):
        yield "it is a recurrent model, which cannot take back tokens. Choose a smaller model of the same family."


def _cannot_forget(model: Any) -> bool:
    return bool(c.llama_model_is_recurrent(model) or c.llama_model_is_hybrid(model))


def _of_vocabularies(main: Any, draft: Any) -> Iterator[str]:
    vocabularies = c.llama_model_get_vocab(main), c.llama_model_get_vocab(draft)
    sizes = [int(c.llama_vocab_n_tokens(vocabulary)) for vocabulary in vocabularies]
    advice = "Choose a smaller model of the same family, whose tokens are the same."
    if abs(sizes[0] - sizes[1]) > _MAX_SIZE_DIFFERENCE:
        yield f"its vocabulary has {sizes[1]} tokens, not {sizes[0]}. {advice}"
    elif any(_traits(vocabularies[0])[name] != value for name, value in _traits(vocabularies[1]).items()):
        yield f"its vocabulary is of another kind, or begins and ends texts with other tokens. {advice}"
    else:
        for token in range(_FIRST_COMPARED, min(sizes)):
            texts = [c.llama_vocab_get_text(vocabulary, token) for vocabulary in vocabularies]
            if texts[0] != texts[1]:
                yield f"token {token} of its vocabulary is another one. {advice}"
                return


def _traits(vocabulary: Any) -> dict[str, int]:
    """Special tokens count only where the model uses them."""
    adds_bos, adds_eos = bool(c.llama_vocab_get_add_bos(vocabulary)), bool(c.llama_vocab_get_add_eos(vocabulary))
    return {
        "type": int(c.llama_vocab_type(vocabulary)),
        "adds_bos": adds_bos,
        "adds_eos": adds_eos,
        "bos": int(c.llama_vocab_bos(vocabulary)) if adds_bos else -1,
        "eos": int(c.llama_vocab_eos(vocabulary)) if adds_eos else -1,
    }
