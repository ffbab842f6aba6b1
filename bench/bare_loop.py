"""Eight greedy replies at once from llama.cpp's C functions with nothing around them: no server, no pipe, no text.

Usage: python -m bench.bare_loop MODEL.gguf; for each line on its input it does what `conc8` asks for, and prints tokens/s.
"""

import random
import sys
import time
from typing import Any, Final

import llama_cpp as c

from bench.servers import CONTEXT, PARALLEL, THREADS

# Of `conc8`'s prompts, those tokens that all have in common, which are known from the one before, and the others.
_SHARED: Final = 29
_OWN: Final = 13
REPLY: Final = 128
_QUIET: Final = c.llama_log_callback(lambda _level, _text, _data: None)


class Loop:
    def __init__(self, path: str) -> None:
        c.llama_log_set(_QUIET, None)
        c.llama_backend_init()
        params = c.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = CONTEXT, PARALLEL, True
        params.n_threads = params.n_threads_batch = THREADS
        params.flash_attn_type = c.LLAMA_FLASH_ATTN_TYPE_AUTO
        model = c.llama_model_load_from_file(path.encode(), c.llama_model_default_params())
        self._context = c.llama_init_from_model(model, params)
        self._memory = c.llama_get_memory(self._context)
        self._vocabulary = c.llama_vocab_n_tokens(c.llama_model_get_vocab(model))
        self._batch = c.llama_batch_init(CONTEXT, 0, PARALLEL)
        self._greedy = c.llama_sampler_init_greedy()

    def run(self, seed: int) -> float:
        """Tokens a second, from the prompts' own tokens on."""
        draw = random.Random(seed)
        c.llama_memory_clear(self._memory, True)
        self._decode([(self._drawn(draw), position, [*range(PARALLEL)]) for position in range(_SHARED)])
        started = time.perf_counter()
        self._decode([(self._drawn(draw), _SHARED + at, [each]) for each in range(PARALLEL) for at in range(_OWN)])
        places = [each * _OWN + _OWN - 1 for each in range(PARALLEL)]
        for step in range(REPLY):
            tokens = [c.llama_sampler_sample(self._greedy, self._context, place) for place in places]
            self._decode([(token, _SHARED + _OWN + step, [each]) for each, token in enumerate(tokens)])
            places = [*range(PARALLEL)]
        return PARALLEL * REPLY / (time.perf_counter() - started)

    def _drawn(self, draw: random.Random) -> int:
        return draw.randrange(self._vocabulary // 2, self._vocabulary)

    def _decode(self, tokens: list[tuple[int, int, list[int]]]) -> None:
        batch: Any = self._batch
        for place, (token, position, sequences) in enumerate(tokens):
            batch.token[place], batch.pos[place], batch.n_seq_id[place] = token, position, len(sequences)
            for at, sequence in enumerate(sequences):
                batch.seq_id[place][at] = sequence
            batch.logits[place] = True
        batch.n_tokens = len(tokens)
        if c.llama_decode(self._context, batch) != 0:
            raise RuntimeError("llama.cpp could not decode")
        c.llama_synchronize(self._context)


def main() -> None:
    loop = Loop(sys.argv[1])
    loop.run(0)
    print("ready", flush=True)
    for number, _ in enumerate(sys.stdin, start=1):
        print(loop.run(number), flush=True)


if __name__ == "__main__":
    main()
