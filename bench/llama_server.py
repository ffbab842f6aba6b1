"""llama.cpp's own server core, from the package `xllamacpp`: the peer to be ahead of.

Usage: llama_server.py MODEL.gguf PORT [SLOTS] [KIND]
KIND is how it drafts: ngram-simple, ngram-map-k, ngram-map-k4v, ngram-mod or ngram-cache.
"""

import signal
import sys

import xllamacpp

from bench.servers import CONTEXT, PARALLEL, THREADS


def main() -> None:
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.port = int(sys.argv[2])
    params.n_parallel = int(sys.argv[3]) if len(sys.argv) > 3 else PARALLEL
    params.n_ctx = CONTEXT
    params.kv_unified = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    if len(sys.argv) > 4:
        kind = sys.argv[4].replace("-", "_").upper()
        params.speculative.types = [xllamacpp.common_speculative_type[f"COMMON_SPECULATIVE_TYPE_{kind}"]]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
