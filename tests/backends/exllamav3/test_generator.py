"""The ExLlamaV3 backend on the library's own generator: replies are the model's, whatever pages they are made from."""

import asyncio
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.backends.transformers.library import transformers
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Constraint, Generation, Prompt
from modules.errors import BadRequest
from modules.sampling import Sampling
from tests.backends.exllamav3.engines import exllamav3_engine, exllamav3_spec
from tests.backends.transformers.folders import VOCABULARY, tiny_folder
from tests.streams import whole

pytestmark = pytest.mark.model

COUNT = 12
PAGE = 256
PROMPTS = ("The quick brown fox", "a", "0123456789 " * 30)


def greedy(prompt: Sequence[int], **fields: Any) -> Generation:
    wanted = {"sampling": Sampling(temperature=0), "max_tokens": COUNT, "ignore_eos": True, **fields}
    return Generation(prompt=Prompt(tuple(prompt)), **wanted)


def generated(folder: Path, prompt: Sequence[int], count: int = COUNT) -> list[int]:
    """By Transformers' own `generate`, without ending the reply."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor([list(prompt)])
    fields = {"attention_mask": torch.ones_like(ids), "suppress_tokens": [VOCABULARY - 1]}
    made = model.generate(ids, max_new_tokens=count, do_sample=False, **fields)
    return [int(token) for token in made[0, len(prompt) :]]


def generator_of(engine: ThreadedEngine) -> Any:
    return engine._stepper._backend._generator  # type: ignore[attr-defined]


async def test_replies_are_the_models_alone_and_together(exllamav3: types.ModuleType, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny")
    async with exllamav3_engine(exllamav3_spec(folder, page_cache_tokens=2048)) as engine:
        prompts = [await engine.tokenize(text, special=True) for text in PROMPTS]
        expected = [generated(folder, prompt) for prompt in prompts]
        together = await asyncio.gather(*(whole(engine, greedy(prompt)) for prompt in prompts))
        assert [list(reply.tokens) for reply in together] == expected
        again = await whole(engine, greedy(prompts[2], logprobs=2))
        assert list(again.tokens) == expected[2]
        assert again.usage is not None
        assert PAGE <= again.usage.cached_tokens < len(prompts[2])
        assert [scored.top[0].token for scored in again.logprobs] == expected[2]
        assert generator_of(engine).pagetable.num_unreferenced_pages() == generator_of(engine).pagetable.max_pages


async def test_what_is_guessed_from_the_reply_changes_nothing(exllamav3: types.ModuleType, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny")
    async with exllamav3_engine(exllamav3_spec(folder, ngram_tokens=4)) as engine:
        prompt = await engine.tokenize("abcdefgh abcdefgh abcdefgh abcdefgh", special=True)
        # A bias makes the reply repeat itself, so that guesses are right.
        likely = dict.fromkeys(prompt[:2], 30.0)
        guessed = await whole(
            engine, greedy(prompt, sampling=Sampling(temperature=0, logit_bias=likely), max_tokens=30)
        )
        assert guessed.usage is not None
        assert guessed.usage.accepted_tokens > 0
        drawn = Sampling(mirostat_mode=2, seed=3, logit_bias=likely)
        with_guesses = await whole(engine, greedy(prompt, sampling=drawn, max_tokens=30))
    async with exllamav3_engine(exllamav3_spec(folder)) as engine:
        plain = await whole(engine, greedy(prompt, sampling=Sampling(temperature=0, logit_bias=likely), max_tokens=30))
        without = await whole(engine, greedy(prompt, sampling=drawn, max_tokens=30))
    assert (guessed.tokens, with_guesses.tokens) == (plain.tokens, without.tokens)


async def test_a_long_reply_goes_on_as_another_job(
    exllamav3: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modules.backends.exllamav3 import backend  # noqa: PLC0415 - with the library

    monkeypatch.setattr(backend, "_TOKENS_AT_ONCE", 8)
    folder = tiny_folder(tmp_path / "tiny")
    async with exllamav3_engine(exllamav3_spec(folder, page_cache_tokens=1024)) as engine:
        prompt = (await engine.tokenize("over and over " * 30, special=True))[:250]
        reply = await whole(engine, greedy(prompt, max_tokens=20, logprobs=0))
    assert list(reply.tokens) == generated(folder, prompt, 20)
    assert [scored.token for scored in reply.logprobs] == list(reply.tokens)


async def test_a_job_that_is_left_gives_its_pages_back(exllamav3: types.ModuleType, tmp_path: Path) -> None:
    async with exllamav3_engine(exllamav3_spec(tiny_folder(tmp_path / "tiny"))) as engine:
        stream = engine.generate(greedy([65] * 20, max_tokens=None))
        assert (await anext(stream)).progress is not None
        await stream.aclose()
        assert (await whole(engine, greedy([66] * 20))).tokens
        pages = generator_of(engine).pagetable
        assert (pages.num_unreferenced_pages(), len(pages.referenced_pages)) == (pages.max_pages, 0)


@pytest.mark.parametrize(
    "sampling",
    [Sampling(), Sampling(top_a=0.2, seed=1), pytest.param(Sampling(logit_bias={65: 5.0}), marks=pytest.mark.extended)],
)
async def test_constraints_hold_for_every_way_to_draw(
    exllamav3: types.ModuleType, tmp_path: Path, sampling: Sampling
) -> None:
    async with exllamav3_engine(exllamav3_spec(tiny_folder(tmp_path / "tiny"))) as engine:
        constraint = Constraint(kind="regex", text="(left|right) [0-9]{2}")
        reply = await whole(engine, greedy([65] * 5, sampling=sampling, max_tokens=40, constraint=constraint))
    assert reply.text.split(" ")[0] in {"left", "right"}
    assert reply.text[-2:].isdigit()


async def test_prompts_beyond_the_bound_are_not_scored(exllamav3: types.ModuleType, tmp_path: Path) -> None:
    async with exllamav3_engine(exllamav3_spec(tiny_folder(tmp_path / "tiny"), scored_tokens=300)) as engine:
        scored = await whole(engine, greedy([65] * 299, prompt_logprobs=1, max_tokens=1))
        assert scored.prompt_logprobs is not None
        assert len(scored.prompt_logprobs) == 299
        with pytest.raises(BadRequest, match="--scored-tokens allows 300"):
            await whole(engine, greedy([65] * 301, prompt_logprobs=1))
