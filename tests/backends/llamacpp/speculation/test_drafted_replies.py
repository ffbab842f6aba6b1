"""With a draft model, right or wrong, replies are what they are without: alone, together, and with everything that a
request may ask for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.speculation import planner
from modules.backends.llamacpp.speculation.draft_model import DraftModel
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Constraint, DraftSpec, Finish, Generation, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.reference import NEAR_TIE, Reference, assert_same
from tests.backends.llamacpp.speculation.draft_file import write_bad_draft
from tests.backends.llamacpp.speculation.flat_costs import FlatCosts
from tests.backends.llamacpp.texts import PROMPTS
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import SMOLLM2
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

COUNT = 16
FEW = 2


@asynccontextmanager
async def drafting(loader: LlamaCppLoader, main: Path, draft: Path, **changes: Any) -> AsyncIterator[ThreadedEngine]:
    """An engine that drafts whenever it can."""
    spec = llama_spec(main, draft=DraftSpec(name=draft.name, path=str(draft)), **changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "StepCosts", FlatCosts)
        patch.setattr(DraftModel, "seconds", lambda self, count: 0.0)
        async with llama_engine(loader, spec) as engine:
            yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def good(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> AsyncIterator[ThreadedEngine]:
    """The model is its own draft, which is always right about greedy replies."""
    async with drafting(llama_cpp, model_file(SMOLLM2), model_file(SMOLLM2)) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bad(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ThreadedEngine]:
    draft = tmp_path_factory.mktemp("drafts") / "bad.gguf"
    write_bad_draft(draft, model_file(SMOLLM2))
    async with drafting(llama_cpp, model_file(SMOLLM2), draft) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ngrams(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> AsyncIterator[ThreadedEngine]:
    """Guesses from what was said before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "StepCosts", FlatCosts)
        async with llama_engine(llama_cpp, llama_spec(model_file(SMOLLM2), ngram_tokens=32)) as engine:
            yield engine


@pytest.fixture(params=["good", "bad", "ngrams"])
def drafted(request: pytest.FixtureRequest) -> ThreadedEngine:
    engine: ThreadedEngine = request.getfixturevalue(request.param)
    return engine


async def asking(engine: ThreadedEngine, text: str, **fields: Any) -> Generation:
    tokens = await engine.tokenize(text, special=True)
    greedy = Generation(prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=COUNT)
    return replace(greedy, **fields)


def drafts_of(reply: Chunk) -> tuple[int, int]:
    assert reply.usage is not None
    return reply.usage.accepted_tokens, reply.usage.rejected_tokens


async def test_a_copied_text_is_guessed(ngrams: ThreadedEngine, smollm2_reference: Reference) -> None:
    text = "one, two, three, four, five, six, seven, eight, nine, ten; " * 4
    generation = await asking(ngrams, text, max_tokens=60)
    reply = await whole(ngrams, generation)
    assert_same(
        reply.tokens,
        smollm2_reference.greedy(generation.prompt.tokens, 60),
        ngrams.card.eos_ids,
        near_tie=NEAR_TIE,
    )
    accepted, rejected = drafts_of(reply)
    assert accepted > 30
    assert rejected < accepted


async def test_a_prediction_is_drafted_from(ngrams: ThreadedEngine, smollm2_reference: Reference) -> None:
    """Right from its first token on, and again after a token that is another one."""
    generation = await asking(ngrams, PROMPTS[1], max_tokens=40)
    expected = smollm2_reference.greedy(generation.prompt.tokens, 40)
    said = tuple(step.token for step in expected)
    edited = (*said[:20], 100, *said[21:])
    for prediction, most_steps in ((said, 8), (edited, 16), ((100, 101, 102, 103) * 8, 40)):
        reply = await whole(ngrams, replace(generation, prediction=prediction))
        assert_same(reply.tokens, expected, ngrams.card.eos_ids, near_tie=NEAR_TIE)
        usage = reply.usage
        assert usage is not None
        assert usage.has_prediction
        assert usage.completion_tokens - usage.accepted_tokens <= most_steps
        assert usage.predicted_tokens <= usage.accepted_tokens
        assert usage.mispredicted_tokens <= usage.rejected_tokens
        assert usage.predicted_tokens > 20 or most_steps == 40


LONG_KEYS = (
    '{"type":"object","properties":{"the_first_of_two_long_names":{"type":"integer","maximum":99},'
    '"the_second_of_two_long_names":{"type":"boolean"}},'
    '"required":["the_first_of_two_long_names","the_second_of_two_long_names"],"additionalProperties":false}'
)


@pytest.mark.parametrize(
    "fields",
    [{}, {"sampling": Sampling(temperature=1.0, seed=5)}, {"logprobs": 1}, {"stop": ("_two",)}, {"max_tokens": 5}],
    ids=["greedy", "sampled", "logprobs", "stop", "short"],
)
async def test_forced_tokens_are_said_at_once(
    smollm2: ThreadedEngine, ngrams: ThreadedEngine, fields: dict[str, Any]
) -> None:
    schema = Constraint(kind="json_schema", text=LONG_KEYS)
    generation = await asking(ngrams, PROMPTS[2], max_tokens=80, constraint=schema)
    generation = replace(generation, **fields)
    plain, reply = await whole(smollm2, generation), await whole(ngrams, generation)
    assert (reply.text, reply.tokens, reply.starts) == (plain.text, plain.tokens, plain.starts)
    assert (reply.finish, reply.stop_reason) == (plain.finish, plain.stop_reason)
    assert len(reply.logprobs) == len(plain.logprobs) == (len(reply.tokens) if "logprobs" in fields else 0)
    assert reply.usage is not None
    assert plain.usage is not None
    assert plain.usage.forced_tokens == 0
    assert reply.usage.forced_tokens >= min(4, len(reply.tokens) - 2)
    assert reply.usage.completion_tokens == plain.usage.completion_tokens


async def test_forced_replies_of_eight_at_once_stay_within_the_batch(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]
) -> None:
    text = "all that can be said is this one sentence, and it is rather long, so that it takes more tokens than one step has"
    schema = Constraint(kind="regex", text=f"(?:{text}){{1}}")
    async with llama_engine(llama_cpp, llama_spec(model_file(SMOLLM2), ngram_tokens=32, batch_size=32)) as engine:
        generation = await asking(engine, PROMPTS[0], max_tokens=100, constraint=schema)
        replies = await asyncio.gather(*(whole(engine, generation) for _ in range(8)))
    assert {reply.text for reply in replies} == {text}
    assert all(reply.usage is not None and reply.usage.forced_tokens > 10 for reply in replies)


@pytest.mark.parametrize(
    "text",
    [text if at < FEW else pytest.param(text, marks=pytest.mark.extended) for at, text in enumerate(PROMPTS[:20])],
    ids=range(20),
)
async def test_greedy_replies(drafted: ThreadedEngine, smollm2_reference: Reference, text: str) -> None:
    generation = await asking(drafted, text)
    reply = await whole(drafted, generation)
    expected = smollm2_reference.greedy(generation.prompt.tokens, COUNT)
    assert_same(reply.tokens, expected, drafted.card.eos_ids, near_tie=NEAR_TIE)
    assert drafted.card.draft == "" or sum(drafts_of(reply)) > 0


async def test_good_drafts_save_steps_and_bad_ones_are_rejected(good: ThreadedEngine, bad: ThreadedEngine) -> None:
    generation = await asking(good, PROMPTS[0], max_tokens=40)
    accepted, rejected = drafts_of(await whole(good, generation))
    assert accepted > 25
    assert rejected < 10
    accepted, rejected = drafts_of(await whole(bad, generation))
    assert rejected > accepted


# Each with the same prompt as without drafts: what the text ends with, what is reported, and how tokens are drawn.
WISHES: dict[str, dict[str, Any]] = {
    "sampled": {"sampling": Sampling(temperature=1.0, seed=7)},
    "hot": {"sampling": Sampling(temperature=1.8, top_k=200, seed=8)},
    "penalties": {"sampling": Sampling(temperature=0, repetition_penalty=1.3, presence_penalty=0.5)},
    "dry": {"sampling": Sampling(temperature=0.8, dry_multiplier=0.8, seed=9)},
    "mirostat": {"sampling": Sampling(mirostat_mode=2, seed=10)},
    "no repeats": {"sampling": Sampling(temperature=0, no_repeat_ngram_size=3)},
    "bias": {"sampling": Sampling(temperature=0, logit_bias={28: 5.0}, banned_tokens=(30,))},
    "logprobs": {"logprobs": 3},
    "sampled logprobs": {"logprobs": 2, "sampled_logprobs": True, "sampling": Sampling(temperature=0.7, seed=11)},
    "prompt logprobs": {"prompt_logprobs": 1},
    "stop string": {"stop": (" the", "e\n")},
    "at least": {"min_tokens": 12},
    "to the end": {"ignore_eos": True},
    "one token": {"max_tokens": 1},
    "two tokens": {"max_tokens": 2},
    "schema": {
        "constraint": Constraint(
            kind="json_schema",
            text='{"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer"}},'
            '"required":["name","age"]}',
        )
    },
    "regex": {"constraint": Constraint(kind="regex", text="[a-f]{3,9}[0-9]+;")},
}


@pytest.mark.parametrize(
    "wish", [pytest.param(wish, marks=[pytest.mark.extended] * min(1, at % 3)) for at, wish in enumerate(WISHES)]
)
async def test_everything_a_request_may_ask_for(smollm2: ThreadedEngine, drafted: ThreadedEngine, wish: str) -> None:
    generation = await asking(drafted, PROMPTS[3], **WISHES[wish])
    plain, reply = await whole(smollm2, generation), await whole(drafted, generation)
    assert (reply.text, reply.tokens) == (plain.text, plain.tokens)
    assert (reply.finish, reply.stop_reason) == (plain.finish, plain.stop_reason)
    assert reply.starts == plain.starts
    assert [each.token for each in reply.logprobs] == [each.token for each in plain.logprobs]
    for ours, theirs in zip(reply.logprobs, plain.logprobs, strict=True):
        assert ours.logprob == pytest.approx(theirs.logprob, abs=0.1)
        assert [each.token for each in ours.top[:1]] == [each.token for each in theirs.top[:1]]
    assert len(reply.prompt_logprobs or ()) == len(plain.prompt_logprobs or ())


async def test_eight_at_once_with_different_wishes(smollm2_reference: Reference, drafted: ThreadedEngine) -> None:
    """Some hang up on the way; those that are greedy say what they say alone."""
    wishes = list(WISHES.values())
    others = [await asking(drafted, PROMPTS[at], **wishes[at % len(wishes)]) for at in range(4)]
    generations = [await asking(drafted, text) for text in PROMPTS[4:10]]
    hung_up = await asking(drafted, PROMPTS[1], max_tokens=500)

    async def leave() -> None:
        async with aclosing(drafted.generate(hung_up)) as stream:
            async for chunk in stream:
                if chunk.text:
                    return

    tasks = [asyncio.ensure_future(leave()), *(asyncio.ensure_future(whole(drafted, each)) for each in others)]
    replies = await asyncio.gather(*(whole(drafted, generation) for generation in generations))
    await asyncio.gather(*tasks)
    for generation, reply in zip(generations, replies, strict=True):
        expected = smollm2_reference.greedy(generation.prompt.tokens, COUNT)
        assert_same(reply.tokens, expected, drafted.card.eos_ids, near_tie=NEAR_TIE)
        assert reply.finish in {Finish.LENGTH, Finish.STOP}


async def test_a_cache_with_little_room(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], smollm2_reference: Reference
) -> None:
    """Jobs are preempted and drafts given up, to the last cell of the context."""
    path = model_file(SMOLLM2)
    async with drafting(llama_cpp, path, path, context=64, parallel=4) as engine:
        generations = [await asking(engine, text, max_tokens=None) for text in PROMPTS[:5]]
        replies = await asyncio.gather(*(whole(engine, generation) for generation in generations))
        for generation, reply in zip(generations, replies, strict=True):
            assert reply.usage is not None
            expected = smollm2_reference.greedy(generation.prompt.tokens, reply.usage.completion_tokens)
            assert_same(reply.tokens, expected, engine.card.eos_ids, near_tie=NEAR_TIE)
            if reply.finish is Finish.LENGTH:
                assert reply.usage.total_tokens == 64


async def test_a_conversation_goes_on_from_the_cache(drafted: ThreadedEngine, smollm2_reference: Reference) -> None:
    generation = await asking(drafted, PROMPTS[6])
    first = await whole(drafted, generation)
    more = replace(generation, prompt=Prompt((*generation.prompt.tokens, *first.tokens, 198)))
    second = await whole(drafted, more)
    assert second.usage is not None
    assert second.usage.cached_tokens >= len(generation.prompt.tokens) + len(first.tokens) - 1
    expected = smollm2_reference.greedy(more.prompt.tokens, COUNT)
    assert_same(second.tokens, expected, drafted.card.eos_ids, near_tie=NEAR_TIE)


# What a draft repeats: lists, code, tables and quotations, around each of the prompts.
FRAMES = (
    "{0}",
    "{0} {0}",
    "Repeat: {0}\n{0}\n",
    "- one\n- two\n- {0}\n- one\n- two\n-",
    "def f(x):\n    return x  # {0}\n\n\ndef g(x):\n    return x  #",
    "| a | b |\n|---|---|\n| {0} | 1 |\n| {0} | 2 |\n|",
    '{{"text": "{0}", "n": 1}}\n{{"text": "{0}", "n": 2}}\n',
    "<p>{0}</p>\n<p>{0}</p>\n<p>",
    '{0}\n\n"{0}", he said.',
    "A: {0}\nB: {0}\nA:",
)


@pytest.mark.extended
@pytest.mark.timeout(900)
@pytest.mark.parametrize("frame", FRAMES)
async def test_greedy_replies_to_two_hundred_prompts(
    ngrams: ThreadedEngine, smollm2_reference: Reference, frame: str
) -> None:
    """Drafted at every step, and beside each other: those of the reference, but for near-ties."""
    generations = [await asking(ngrams, frame.format(text), max_tokens=32) for text in PROMPTS]
    replies = await asyncio.gather(*(whole(ngrams, generation) for generation in generations))
    for generation, reply in zip(generations, replies, strict=True):
        expected = smollm2_reference.greedy(generation.prompt.tokens, 32)
        assert_same(reply.tokens, expected, ngrams.card.eos_ids, near_tie=NEAR_TIE)
    assert sum(drafts_of(reply)[0] for reply in replies) > 0
