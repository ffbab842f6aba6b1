"""How much a model's cache holds and what it can do with it: facts decided at load time."""

from typing import Any, Final

from llama_cpp import llama_cpp as c

from modules.engine.types import LoadSpec

SCORING_ROWS: Final = 64
_SPARE_SEQUENCES: Final = 16
_MAX_SEQUENCES: Final = 256


class Memory:
    """`context` tokens for one job, `cells` for all together.

    `outputs` rows of logits per batch: one per running job, or `SCORING_ROWS` of a prompt that is scored.
    `can_share` is False where cells cannot belong to several sequences at any length: recurrent and hybrid models, and
    sliding-window caches that forget what left the window.
    """

    def __init__(self, model: Any, spec: LoadSpec, *, context: int) -> None:
        self.context = context
        self.cells = max(context, spec.kv_cells)
        self.parallel = spec.parallel
        is_recurrent = bool(c.llama_model_is_recurrent(model) or c.llama_model_is_hybrid(model))
        forgets = bool(c.llama_model_n_swa(model)) and not spec.swa_full
        self.can_share = not (is_recurrent or forgets)
        self.sequences = min(_MAX_SEQUENCES, spec.parallel + (_SPARE_SEQUENCES if self.can_share else 2))
        self.outputs = max(spec.parallel, self.sequences) + SCORING_ROWS
