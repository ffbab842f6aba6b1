"""The options of one load, with what is on automatic chosen by a measurement, made once."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

import msgspec
from llama_cpp import llama_cpp as c

from modules.backends.cores import usable_cores
from modules.backends.llamacpp.layout import ContextLayout, context_params
from modules.backends.llamacpp.options import LlamaCppOptions
from modules.backends.llamacpp.tuning.choices import questions_for
from modules.backends.llamacpp.tuning.machine import key_parts, logical_cores
from modules.backends.llamacpp.tuning.self_test import CELLS, SelfTest
from modules.backends.llamacpp.tuning.store import ChoiceStore, key_of
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelKind

# Of the progress of a load; the rest is the self-test's.
_WEIGHTS: Final = 0.9


class Tuning:
    """`chosen` says what was chosen and why, once `tuned` was called; empty where nothing was to be chosen."""

    def __init__(self, spec: LoadSpec, options: LlamaCppOptions, report: ReportProgress) -> None:
        self._spec = spec
        self._options = options
        self._report = report
        self._is_on = bool(options.self_test and spec.cache_folder and spec.kind is ModelKind.CHAT and not options.rpc)
        self.chosen = ""

    def report_weights(self, fraction: float) -> None:
        self._report(fraction * _WEIGHTS if self._is_on else fraction)

    def tuned(
        self, model: Any, devices: Collection[str], layout_of: Callable[[LlamaCppOptions], ContextLayout]
    ) -> LlamaCppOptions:
        """What was stated stays. Measures only what nobody has measured before under the same conditions."""
        options = self._options
        if not self._is_on or c.llama_model_has_encoder(model) or c.llama_model_n_ctx_train(model) < CELLS:
            return options
        cores = usable_cores()
        questions = questions_for(
            options, uses_gpu=layout_of(options).uses_gpu, cores=cores, logical_cores=logical_cores()
        )
        if questions.is_empty:
            return options
        store = ChoiceStore(Path(self._spec.cache_folder), self._spec.path)
        key = key_of(key_parts(self._spec, options, devices))
        choice = store.get(key)
        if choice is None or not choice.is_settled:
            tries = 1 if choice is None else choice.tries + 1
            test = SelfTest(model, options, lambda tried: context_params(tried, layout_of(tried)), threads=cores)
            choice = msgspec.structs.replace(test.run(questions, self._report_test), tries=tries)
            store.put(key, choice)
        self.chosen = choice.reasons
        self._report(1.0)
        return choice.applied(options)

    def _report_test(self, fraction: float) -> None:
        self._report(_WEIGHTS + (1 - _WEIGHTS) * fraction)
