"""How the graphs of voices are opened."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort

from modules.backends.onnx.speech.synthesizer import Samples
from modules.errors import LoadFailed


class GraphSession:
    """A graph on the processor, computed with so many threads. Raises LoadFailed.

    After each run the memory that it computed with is given back: it grows with the text, up to half a gigabyte.
    """

    def __init__(self, graph: Path, threads: int) -> None:
        self._session = _open(graph, threads)
        self._options = ort.RunOptions()
        self._options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    @property
    def inputs(self) -> dict[str, str]:
        """Types by name."""
        return {each.name: each.type for each in self._session.get_inputs()}

    def run(self, inputs: Mapping[str, object]) -> Samples:
        """The first output, flat."""
        found = self._session.run(None, dict(inputs), self._options)[0]
        return np.asarray(found, np.float32).reshape(-1)


def _open(graph: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Texts differ in length: memory kept for each length would grow and not be used again.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise LoadFailed(f"{graph.name} cannot be opened: it is damaged, or for another version.") from error
