"""The settings of a context that change which tokens it chooses."""

from importlib.metadata import version
from typing import Any

from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.options import LlamaCppOptions
from modules.engine.types import LoadSpec


def replay_settings(spec: LoadSpec, options: LlamaCppOptions, context: Any) -> tuple[tuple[str, str | int | bool], ...]:
    """As they came to be, under the names of their flags, with the library's own name and what of the processor it uses."""
    speculates = spec.draft.name if spec.draft is not None else spec.ngram_tokens
    return (
        ("library", f"llama-cpp-python {version('llama-cpp-python')}"),
        ("system", c.llama_print_system_info().decode(errors="replace").strip()),
        ("loader", spec.loader),
        ("ctx_size", spec.context or int(c.llama_n_ctx(context))),
        ("parallel", spec.parallel),
        ("flash_attn", options.flash_attn),
        ("cache_type", options.cache_type),
        ("threads", int(c.llama_n_threads(context))),
        ("threads_batch", int(c.llama_n_threads_batch(context))),
        ("batch_size", int(c.llama_n_batch(context))),
        ("ubatch_size", int(c.llama_n_ubatch(context))),
        ("gpu_layers", options.gpu_layers),
        ("speculation", speculates),
        ("cache_reuse", options.cache_reuse),
    )
