"""How the graphs of voices are opened."""

from pathlib import Path

import onnxruntime as ort

from modules.errors import LoadFailed


def open_session(graph: Path, threads: int) -> ort.InferenceSession:
    """On the processor, with so many threads. Raises LoadFailed."""
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
