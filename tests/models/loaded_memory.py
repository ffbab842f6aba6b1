"""A program that loads a model and prints, as JSON, what llama.cpp says it took and what the process takes, in bytes.

Arguments: the path, and the fields of a LoadSpec as JSON.
"""

import json
import logging
import re
import sys

import psutil

from modules.backends.llamacpp import library
from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.types import LoadSpec
from tests.backends.loading import changed_spec

# Weights that the CPU arranges anew come out of the mapped file, whose pages the system can take back.
BUFFER = re.compile(r"(?<!REPACK )(model|KV|compute|output) buffer size = +([\d.]+) MiB")


class Sizes(logging.Handler):
    """Sums up what the log says, by kind of buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        for kind, size in BUFFER.findall(record.getMessage()):
            self.found[kind] = self.found.get(kind, 0.0) + float(size) * 2**20


def main(path: str, fields: str) -> None:
    sizes = Sizes()
    logging.basicConfig(level=logging.DEBUG, handlers=[sizes])
    loader = LlamaCppLoader()
    before = psutil.Process().memory_full_info()
    spec = changed_spec(LoadSpec(name="model", path=path, loader="llama.cpp"), **json.loads(fields))
    backend = loader.load(spec, lambda _fraction: None)
    read_prompt(backend._context, 128)
    after = psutil.Process().memory_full_info()
    backend.close()
    own, resident = after.uss - before.uss, after.rss - before.rss
    sys.stdout.write(json.dumps({**sizes.found, "own": own, "resident": resident}))


def read_prompt(context: object, count: int) -> None:
    """Memory that was never written to does not count, so the buffers are used once."""
    batch = library.Batch(count)
    batch.clear()
    for position in range(count):
        batch.add(position, position, 0, logits=position == count - 1)
    assert batch.decode(context) == 0
    batch.free()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
