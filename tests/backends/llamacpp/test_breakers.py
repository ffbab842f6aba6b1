"""DRY with breakers, on a real vocabulary: the shared sampler against llama.cpp's, which finds the sequences itself."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.sampling.candidates import Candidates
from modules.backends.llamacpp.sampling.native_stages import NativeStages, SamplerVocabulary
from modules.backends.llamacpp.tokenizer import LlamaTokenizer
from modules.backends.sampling.breakers import breaker_sequences
from modules.backends.sampling.candidates import RowCandidates
from modules.backends.sampling.logprobs import Row
from modules.backends.sampling.stages import SamplerFacts, Stages
from modules.sampling import Sampling
from tests.model_files import SMOLLM2

pytestmark = pytest.mark.model
CONTEXT = 512
BREAKERS = (("\n", ":", '"', "*"), ("and then",), ("###", " the", "ing"), ("\n\n", "said the fox to the hen"))
WORDS = (
    "and",
    " and",
    " then",
    " the",
    " fox",
    " said",
    " to",
    " hen",
    "ing",
    "###",
    "##",
    "\n",
    "\n\n",
    ":",
    " said:",
)
LIKELY = np.asarray([4, 4, 4, 4, 4, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1]) / 33


@pytest.fixture(scope="module")
def vocabulary(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> Iterator[SamplerVocabulary]:
    """`llama_cpp` started the library."""
    params = c.llama_model_default_params()
    params.vocab_only = True
    model = c.llama_model_load_from_file(str(model_file(SMOLLM2)).encode(), params)
    pointer = c.llama_model_get_vocab(model)
    yield SamplerVocabulary(pointer, int(c.llama_vocab_n_tokens(pointer)), (), CONTEXT)
    c.llama_model_free(model)


def natively(sampling: Sampling, vocabulary: SamplerVocabulary, tokens: list[int]) -> Iterator[Row]:
    """After each of the tokens. One sampler for all: llama.cpp takes long to look for breakers."""
    candidates = Candidates(vocabulary.size)
    with closing(NativeStages(sampling, vocabulary, ())) as stages:
        chain = stages.build()
        for token in tokens:
            stages.accept(token)
            candidates.fill(np.zeros(vocabulary.size, dtype=np.float32))
            for stage in chain:
                stage(candidates, tokens)
            yield candidates.logits.copy()


def in_numpy(sampling: Sampling, facts: SamplerFacts, history: list[int]) -> Row:
    candidates = RowCandidates(np.zeros(facts.vocabulary, dtype=np.float32))
    for stage in Stages[RowCandidates](sampling, facts, None).build():
        stage(candidates, history)
    return candidates.logits


@pytest.mark.parametrize("breakers", [*BREAKERS[:3], pytest.param(BREAKERS[3], marks=pytest.mark.extended)], ids=str)
def test_the_same_tokens_are_penalised(vocabulary: SamplerVocabulary, breakers: tuple[str, ...]) -> None:
    tokenizer, numbers = LlamaTokenizer(vocabulary.pointer), np.random.default_rng(1)
    sampling = Sampling(dry_multiplier=1.0, dry_allowed_length=1, dry_sequence_breakers=breakers)
    facts = SamplerFacts(vocabulary.size, CONTEXT, breakers=breaker_sequences(breakers, tokenizer))
    text = "".join(numbers.choice(WORDS, size=150, p=LIKELY))
    tokens = tokenizer.encode(text, special=False)
    broken = 0
    for count, native in enumerate(natively(sampling, vocabulary, tokens), 1):
        ours = in_numpy(sampling, facts, tokens[:count])
        assert np.allclose(ours, native, rtol=1e-5), text
        broken += bool((ours != in_numpy(sampling, SamplerFacts(vocabulary.size, CONTEXT), tokens[:count])).any())
    assert broken > 5


def test_a_breaker_is_found_however_it_is_spelled(vocabulary: SamplerVocabulary) -> None:
    tokenizer = LlamaTokenizer(vocabulary.pointer)
    spelled = {b"".join(map(tokenizer.shown, each)) for each in breaker_sequences(["said:"], tokenizer)}
    assert all(b"said:" in text for text in spelled)
    assert {b"said:", b" said:"} <= spelled
    assert breaker_sequences(["", ""], tokenizer) == ()
