"""A small model at a high temperature, held to schemas, patterns and grammars: what it says is always valid."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Constraint, Finish, Generation, Prompt, Thought
from modules.errors import BadRequest
from modules.sampling import Sampling
from tests.backends.llamacpp.reference import NEAR_TIE
from tests.backends.llamacpp.schemas import SCHEMAS
from tests.backends.loading import llama_engine, llama_spec
from tests.engine.guiding import waits_for_compilers
from tests.model_files import QWEN
from tests.streams import chunks_of, whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

HOT = Sampling(temperature=1.2, seed=1)
GREEDY = Sampling(temperature=0)
QUESTION = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def qwen(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> AsyncIterator[ThreadedEngine]:
    spec = llama_spec(model_file(QWEN), context=1024, kv_cells=8192, parallel=8)
    async with llama_engine(llama_cpp, spec) as engine:
        yield engine


async def asked(engine: ThreadedEngine, words: str, **fields: Any) -> Generation:
    tokens = await engine.tokenize(QUESTION.format(words), special=True)
    return Generation(**{"prompt": Prompt(tuple(tokens)), "sampling": HOT, "max_tokens": 400, **fields})


def json_schema(schema: Any) -> Constraint:
    return Constraint(kind="json_schema", text=json.dumps(schema))


def complaints(schema: Any, reply: Chunk) -> list[str]:
    if reply.finish is not Finish.STOP:
        return [f"unfinished: {reply.text}"]
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.message} in {reply.text}" for error in validator.iter_errors(json.loads(reply.text))]


@pytest.mark.parametrize(("every", "samples"), [(2, 1), pytest.param(1, 2, marks=pytest.mark.extended)])
async def test_forty_schemas(qwen: ThreadedEngine, every: int, samples: int) -> None:
    """Twenty replies daily, or eighty, eight at a time; what is streamed is what is judged."""
    counts: list[int] = []

    async def judged(name: str, seed: int) -> list[str]:
        schema, sampling = SCHEMAS[name], Sampling(temperature=1.2, seed=seed)
        words = f"Invent an example of: {name}. Answer in JSON."
        chunks = await chunks_of(qwen, await asked(qwen, words, sampling=sampling, constraint=json_schema(schema)))
        counts.append(len(chunks))
        return [f"{name}: {complaint}" for complaint in complaints(schema, Chunk.join(chunks))]

    assert len(SCHEMAS) == 40
    found = await asyncio.gather(*(judged(name, seed) for name in [*SCHEMAS][::every] for seed in range(samples)))
    assert [complaint for each in found for complaint in each] == []
    assert sum(counts) > 5 * len(counts)


@pytest.mark.parametrize(
    "sampling",
    [
        GREEDY,
        Sampling(temperature=1.5, min_p=0.1, top_k=5, seed=3),
        Sampling(temperature=1.2, mirostat_mode=2, seed=3),
        Sampling(temperature=1.2, mirostat_mode=1, seed=3),
        Sampling(temperature=1.2, xtc_probability=1.0, xtc_threshold=0.01, seed=3),
        Sampling(temperature=1.0, adaptive_target=0.3, seed=3),
        Sampling(temperature=1.2, no_repeat_ngram_size=1, seed=3),
        Sampling(temperature=1.2, repetition_penalty=1.8, frequency_penalty=2.0, dry_multiplier=2.0, seed=3),
        Sampling(temperature=1.2, typical_p=0.3, tfs=0.5, top_a=0.3, top_n_sigma=1.0, seed=3),
    ],
    ids=["greedy", "min_p", "mirostat 2", "mirostat 1", "xtc", "adaptive", "no repeats", "penalties", "typical"],
)
async def test_every_sampler_obeys(qwen: ThreadedEngine, sampling: Sampling) -> None:
    schema = SCHEMAS["person"]
    reply = await whole(qwen, await asked(qwen, "Who?", sampling=sampling, constraint=json_schema(schema)))
    assert complaints(schema, reply) == []


async def test_bans_give_way_to_the_constraint(qwen: ThreadedEngine) -> None:
    every = tuple(range(qwen.card.vocabulary))
    sampling = Sampling(temperature=1.0, seed=1, banned_tokens=every)
    schema = SCHEMAS["flags"]
    reply = await whole(qwen, await asked(qwen, "Flags?", sampling=sampling, constraint=json_schema(schema)))
    assert complaints(schema, reply) == []


async def test_the_end_wins_over_its_bans(qwen: ThreadedEngine) -> None:
    constraint = Constraint(kind="regex", text="(red|green|blue)")
    reply = await whole(qwen, await asked(qwen, "A colour?", constraint=constraint, ignore_eos=True, min_tokens=50))
    assert reply.text in {"red", "green", "blue"}
    assert reply.finish is Finish.STOP


async def test_min_tokens_holds_while_the_grammar_goes_on(qwen: ThreadedEngine) -> None:
    constraint = Constraint(kind="regex", text="[a-z ]*")
    reply = await whole(qwen, await asked(qwen, "Words?", constraint=constraint, min_tokens=20, max_tokens=25))
    assert len(reply.tokens) >= 20
    assert re.fullmatch("[a-z ]*", reply.text)


@pytest.mark.parametrize(
    ("constraint", "pattern"),
    [
        (Constraint(kind="regex", text=r"\(\d{3}\) \d{3}-\d{4}"), r"\(\d{3}\) \d{3}-\d{4}"),
        (Constraint(kind="regex", text="(positive|negative)"), "positive|negative"),
        (Constraint(kind="gbnf", text='root ::= ("- " [a-zé]{1,12} "\\n"){2}'), r"(- [a-zé]{1,12}\n){2}"),
        (Constraint(kind="lark", text='start: "<b>" W "</b>"\nW: /[A-Z]{1,5}/'), "<b>[A-Z]{1,5}</b>"),
        (
            Constraint(kind="lark", text='start: "<tool_call>" %json {"const": 1} "</tool_call>"'),
            "<tool_call>1</tool_call>",
        ),
    ],
    ids=["regex", "choice", "gbnf", "lark", "marker"],
)
async def test_patterns_and_grammars(qwen: ThreadedEngine, constraint: Constraint, pattern: str) -> None:
    reply = await whole(qwen, await asked(qwen, "Write something.", constraint=constraint))
    assert re.fullmatch(pattern, reply.text)
    assert reply.finish is Finish.STOP


async def test_a_marker_that_is_one_token_of_the_model_may_be_it(qwen: ThreadedEngine) -> None:
    (marker,) = await qwen.tokenize("<tool_call>", special=True)
    constraint = Constraint(kind="lark", text='start: "<tool_call>" "x"')
    reply = await whole(qwen, await asked(qwen, "Call.", constraint=constraint, sampling=GREEDY))
    assert reply.tokens[0] == marker


async def test_a_model_without_the_marker_spells_it(smollm2: ThreadedEngine) -> None:
    assert len(await smollm2.tokenize("<tool_call>", special=True)) > 1
    constraint = Constraint(kind="lark", text='start: "<tool_call>" %json {"const": 1} "</tool_call>"')
    reply = await whole(smollm2, await asked(smollm2, "Call.", constraint=constraint))
    assert reply.text == "<tool_call>1</tool_call>"


async def test_control_tokens_match_their_quotes_when_they_are_shown(smollm2: ThreadedEngine) -> None:
    """SmolLM2 has <repo_name> as a control token: shown, it is the text."""
    constraint = Constraint(kind="lark", text='start: "<repo_name>" "x"')
    generation = await asked(smollm2, "Name.", constraint=constraint, skip_special_tokens=False)
    reply = await whole(smollm2, generation)
    assert reply.text == "<repo_name>x"


@pytest.mark.parametrize("budget", [0, 8])
async def test_a_thought_is_free_and_bounded(qwen: ThreadedEngine, budget: int) -> None:
    thought = Thought(end="</think>", is_open=True, budget=budget)
    schema = SCHEMAS["person"]
    reply = await whole(
        qwen, await asked(qwen, "Who are you?", sampling=GREEDY, constraint=json_schema(schema), thought=thought)
    )
    thinking, _, answer = reply.text.partition("</think>")
    assert len(await qwen.tokenize(thinking, special=False)) == budget
    assert complaints(schema, Chunk(text=answer, finish=reply.finish)) == []


async def test_a_budget_needs_no_constraint(qwen: ThreadedEngine) -> None:
    free = await asked(qwen, "Count to twenty.", sampling=GREEDY, max_tokens=30)
    thought = Thought(end="</think>", is_open=True, budget=8)
    plain, bounded = await asyncio.gather(
        whole(qwen, free),
        whole(qwen, await asked(qwen, "Count to twenty.", sampling=GREEDY, max_tokens=30, thought=thought)),
    )
    assert bounded.tokens[:8] == plain.tokens[:8]
    assert bounded.text.count("</think>") == 1
    assert len(bounded.tokens) > 8 + len(await qwen.tokenize("</think>", special=True))


async def test_a_seed_repeats_a_constrained_reply(qwen: ThreadedEngine) -> None:
    generation = await asked(qwen, "Who?", constraint=json_schema(SCHEMAS["person"]))
    first, second = await whole(qwen, generation), await whole(qwen, generation)
    assert first.tokens == second.tokens


async def test_logprobs_are_of_the_models_own_distribution(qwen: ThreadedEngine) -> None:
    free = await asked(qwen, "Say hello.", sampling=GREEDY, max_tokens=1, logprobs=5)
    held = await asked(
        qwen, "Say hello.", sampling=GREEDY, logprobs=5, constraint=Constraint(kind="regex", text="zebra")
    )
    plain, bound = await whole(qwen, free), await whole(qwen, held)
    assert bound.text == "zebra"
    assert [each.token for each in bound.logprobs] == list(bound.tokens)
    likely = {each.token: each.logprob for each in plain.logprobs[0].top}
    assert bound.logprobs[0].top[0].token == plain.logprobs[0].top[0].token
    for each in bound.logprobs[0].top[:3]:
        assert each.logprob == pytest.approx(likely[each.token], abs=NEAR_TIE)
    assert bound.logprobs[0].logprob < bound.logprobs[0].top[-1].logprob


async def test_sampled_logprobs_are_of_what_is_allowed(qwen: ThreadedEngine) -> None:
    constraint = Constraint(kind="regex", text="(yes|no)")
    reply = await whole(
        qwen, await asked(qwen, "Well?", constraint=constraint, logprobs=20, sampled_logprobs=True, max_tokens=1)
    )
    texts = {each.data.decode() for each in reply.logprobs[0].top if each.logprob > float("-inf")}
    assert texts
    assert all("yes".startswith(text) or "no".startswith(text) for text in texts)


@pytest.mark.parametrize(
    "constraint",
    [
        json_schema({"type": "array", "uniqueItems": True}),
        json_schema({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}),
        json_schema({"allOf": [{"type": "string", "pattern": f".*a.{{{number}}}b"} for number in range(12)]}),
        Constraint(kind="regex", text="(?<=a)b"),
        Constraint(kind="gbnf", text="root ::= missing"),
        Constraint(kind="lark", text="start: ("),
    ],
    ids=["keyword", "endless", "complex", "regex", "gbnf", "lark"],
)
async def test_what_cannot_be_enforced_is_refused_in_the_time_of_a_compilation(
    qwen: ThreadedEngine, constraint: Constraint, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = waits_for_compilers(monkeypatch)
    with pytest.raises(BadRequest) as refused:
        await whole(qwen, await asked(qwen, "Never answered.", constraint=constraint))
    assert sum(waited) < 2
    assert refused.value.param == "response_format"
    assert "Never" not in refused.value.message
