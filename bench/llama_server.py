"""llama.cpp's own server core, from the package `xllamacpp`: the peer to be ahead of."""

import argparse
import signal
from pathlib import Path
from typing import Final

import xllamacpp

from bench.servers import CONTEXT, PARALLEL, THREADS

# What tokens have to agree, and are drafted, is called by kind; this one also has a least draft.
_SIZES: Final = {"ngram-mod": ("n_match", "n_max", "n_min")}


def _drafting(params: xllamacpp.CommonParams, setting: str) -> None:
    """`setting` is a kind of n-grams, as ngram-simple, and after colons how many tokens have to agree and are drafted."""
    kind, *sizes = setting.split(":")
    name = kind.replace("-", "_")
    params.speculative.types = [getattr(xllamacpp.common_speculative_type, f"COMMON_SPECULATIVE_TYPE_{name.upper()}")]
    for field, size in zip(_SIZES.get(kind, ("size_n", "size_m")), sizes, strict=False):
        setattr(getattr(params.speculative, name), field, int(size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--slots", type=int, default=PARALLEL)
    parser.add_argument("--context", type=int, default=CONTEXT, help="of all slots together")
    parser.add_argument("--drafts", default="", help="how it drafts: ngram-simple, ngram-map-k, ngram-mod:24:64 …")
    chosen = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path = str(chosen.model)
    params.port = chosen.port
    params.n_parallel = chosen.slots
    params.n_ctx = chosen.context
    params.kv_unified = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    if chosen.drafts:
        _drafting(params, chosen.drafts)
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
