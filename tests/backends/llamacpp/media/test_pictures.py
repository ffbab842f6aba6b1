"""Pictures through the real library: what the model sees, what is computed once, and what is refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from modules.backends.llamacpp.backend import LlamaBackend
from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.protocols import Engine
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Constraint, Generation, Media, Prompt
from modules.errors import BadRequest
from modules.sampling import Sampling
from tests.backends.loading import llama_engine, llama_spec
from tests.media_samples import picture
from tests.model_files import GEMMA, SMOLLM2
from tests.projectors import COLOUR_CELLS, COLOURS, write_colour_projector, write_random_projector
from tests.streams import chunks_of, whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

GREEDY = Sampling(temperature=0)
BEGIN, ASK, ANSWER = "<|im_start|>user\n", "What colour is this?", "<|im_end|>\n<|im_start|>assistant\nIt is"
A_COLOUR = Constraint(kind="regex", text=f" ({'|'.join(COLOURS)})")
RED, BLUE = (picture(COLOURS[name]) for name in ("red", "blue"))


@pytest.fixture(scope="session")
def projector(tmp_path_factory: pytest.TempPathFactory, model_file: Callable[[str], Path]) -> Path:
    return write_colour_projector(tmp_path_factory.mktemp("projector") / "mmproj-colour.gguf", model_file(SMOLLM2))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def seeing(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], projector: Path
) -> AsyncIterator[ThreadedEngine]:
    spec = llama_spec(model_file(SMOLLM2), mmproj=str(projector))
    llama_cpp.probe(spec)
    async with llama_engine(llama_cpp, spec) as engine:
        yield engine


async def about(engine: Engine, *parts: str | Media, **fields: Any) -> Generation:
    tokens: list[int] = []
    for part in parts:
        if isinstance(part, str):
            tokens += await engine.tokenize(part, special=True)
        else:
            tokens += await engine.media_tokens(part.shape)
    prompt = Prompt(tuple(tokens), tuple(part for part in parts if isinstance(part, Media)))
    return Generation(prompt=prompt, **{"sampling": GREEDY, "max_tokens": 4, **fields})


async def asked(engine: Engine, *parts: str | Media, **fields: Any) -> Chunk:
    return await whole(engine, await about(engine, *parts, **fields))


async def colour_of(engine: Engine, media: Media) -> str:
    return (await asked(engine, BEGIN, ASK, media, ANSWER, constraint=A_COLOUR)).text.strip()


def backend_of(engine: ThreadedEngine) -> LlamaBackend:
    assert isinstance(engine._backend, LlamaBackend)
    return engine._backend


def encoded(engine: ThreadedEngine) -> int:
    media = backend_of(engine)._media
    assert media is not None
    return media.encoder.encoded


def usage_of(chunk: Chunk) -> tuple[int, int]:
    assert chunk.usage is not None
    return chunk.usage.prompt_tokens, chunk.usage.cached_tokens


async def test_the_card_says_what_it_reads(seeing: ThreadedEngine) -> None:
    assert seeing.card.modalities == ("text", "image")
    assert seeing.card.projector == "mmproj-colour.gguf"
    assert "vision" in seeing.card.capabilities


@pytest.mark.parametrize("name", COLOURS)
async def test_a_colour_is_told(seeing: ThreadedEngine, name: str) -> None:
    assert await colour_of(seeing, picture(COLOURS[name])) == name


@pytest.mark.parametrize(("width", "height"), [(1, 1), (33, 17), (640, 480)])
async def test_sizes_do_not_matter(seeing: ThreadedEngine, width: int, height: int) -> None:
    assert await colour_of(seeing, picture(COLOURS["green"], width, height)) == "green"


@pytest.mark.parametrize("names", [("red", "blue"), ("green", "yellow"), ("white", "black"), ("black", "green")])
async def test_two_pictures_are_seen_in_their_order(seeing: ThreadedEngine, names: tuple[str, str]) -> None:
    one, two = (picture(COLOURS[name]) for name in names)
    colour = f"({'|'.join(COLOURS)})"
    both = Constraint(kind="regex", text=f"{colour}, {colour}")
    parts = (BEGIN, "Repeat the words:", one, ",", two, " and nothing else.<|im_end|>\n<|im_start|>assistant\n")
    assert (await asked(seeing, *parts, constraint=both, max_tokens=8)).text == ", ".join(names)


async def test_pictures_are_counted(seeing: ThreadedEngine) -> None:
    chunk = await asked(seeing, BEGIN, RED, BLUE, ASK, ANSWER)
    text = sum([len(await seeing.tokenize(part, special=True)) for part in (BEGIN, ASK, ANSWER)])
    assert chunk.usage is not None
    assert chunk.usage.image_tokens == 2 * COLOUR_CELLS
    assert chunk.usage.prompt_tokens == text + 2 * COLOUR_CELLS


async def test_progress_counts_cells(seeing: ThreadedEngine) -> None:
    chunks = await chunks_of(seeing, await about(seeing, "New", picture((1, 99, 1)), ASK))
    progress = [chunk.progress for chunk in chunks if chunk.progress is not None]
    assert progress[-1].done == progress[-1].total == usage_of(chunks[-1])[0]
    assert all(before.done < after.done for before, after in pairwise(progress))


async def test_a_second_turn_computes_nothing_twice(seeing: ThreadedEngine) -> None:
    seen = picture((200, 3, 3))
    first = await asked(seeing, BEGIN, "Tell me. ", ASK, seen, ANSWER)
    count = encoded(seeing)
    second = await asked(seeing, BEGIN, "Tell me. ", ASK, seen, ANSWER, first.text, " so. And", " then?")
    assert usage_of(second)[1] >= usage_of(first)[0]
    assert encoded(seeing) == count


async def test_pictures_that_differ_in_one_byte_share_nothing(seeing: ThreadedEngine) -> None:
    await asked(seeing, BEGIN, picture((77, 0, 0)), ASK, ANSWER)
    count = encoded(seeing)
    chunk = await asked(seeing, BEGIN, picture((77, 0, 0), change=5), ASK, ANSWER)
    assert usage_of(chunk)[1] <= len(await seeing.tokenize(BEGIN, special=True))
    assert encoded(seeing) == count + 1


async def test_a_picture_at_the_end_is_computed_again_and_not_encoded(seeing: ThreadedEngine) -> None:
    """The last token is always computed, and a picture never in part."""
    said = [await asked(seeing, BEGIN, "Which colour has this?", RED) for _ in range(2)]
    count = encoded(seeing)
    again = await asked(seeing, BEGIN, "Which colour has this?", RED)
    assert [chunk.text for chunk in (*said, again)] == [again.text] * 3
    assert usage_of(again)[1] == usage_of(again)[0] - COLOUR_CELLS
    assert encoded(seeing) == count


async def test_choices_of_one_prompt_encode_once(seeing: ThreadedEngine) -> None:
    count = encoded(seeing)
    asking = await about(seeing, BEGIN, ASK, picture((9, 9, 250)), ANSWER, constraint=A_COLOUR)
    said = await asyncio.gather(*(whole(seeing, asking) for _ in range(4)))
    assert [chunk.text.strip() for chunk in said] == ["blue"] * 4
    assert encoded(seeing) == count + 1


async def test_what_was_moved_to_main_memory_comes_back(seeing: ThreadedEngine) -> None:
    """A request that needs none of it moves a finished chat out of the way."""
    parts = (BEGIN, "Look at this picture and tell me what you see there. ", ASK, picture((8, 250, 8)), ANSWER)
    first = await asked(seeing, *parts, constraint=A_COLOUR)
    count = encoded(seeing)
    await asked(seeing, "Something else, of which nothing is known yet,", max_tokens=2)
    again = await asked(seeing, *parts, constraint=A_COLOUR)
    assert (first.text.strip(), again.text.strip()) == ("green", "green")
    assert usage_of(again)[1] == usage_of(again)[0] - 1
    assert encoded(seeing) == count


async def test_a_picture_that_gave_way_to_another_comes_back(seeing: ThreadedEngine) -> None:
    words = (BEGIN, "Look at this picture and tell me what you see there. ", ASK)
    one, two = picture((250, 8, 8)), picture((8, 8, 250))
    for media in (one, two):
        await asked(seeing, *words, media, ANSWER, constraint=A_COLOUR)
    count = encoded(seeing)
    again = await asked(seeing, *words, one, ANSWER, constraint=A_COLOUR)
    assert again.text.strip() == "red"
    assert usage_of(again)[1] == usage_of(again)[0] - 1
    assert encoded(seeing) == count


async def test_what_is_forgotten_is_read_again_without_the_encoder(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], projector: Path
) -> None:
    """With no room for finished chats, what was encoded is still there; with none for that either, it is encoded again."""
    spec = llama_spec(model_file(SMOLLM2), mmproj=str(projector), context=256, idle_cells=0)
    async with llama_engine(llama_cpp, spec) as engine:
        media = backend_of(engine)._media
        assert media is not None

        async def count_of(*names: str) -> int:
            before = encoded(engine)
            for name in names:
                said = await asked(engine, name, picture(COLOURS[name]), ANSWER)
                assert usage_of(said)[1] == 0
                await asked(engine, "Something else", max_tokens=1)
            return encoded(engine) - before

        assert await count_of("yellow", "blue", "yellow", "blue") == 2
        media.encoder._bound = 0
        assert await count_of("red", "blue", "red") == 3


async def test_replies_beside_a_picture_go_on(seeing: ThreadedEngine) -> None:
    """While pictures come and go the reply gets a token in every step."""
    prompt = Prompt(tuple(await seeing.tokenize("Count on: one, two, three,", special=False)))
    asking = Generation(prompt=prompt, sampling=GREEDY, max_tokens=120, ignore_eos=True)
    alone = (await whole(seeing, asking)).tokens
    tokens: list[int] = []
    async with aclosing(seeing.generate(asking)) as stream:
        tokens += (await anext(stream)).tokens
        looking = asyncio.gather(*(colour_of(seeing, picture((shade, 0, 0))) for shade in range(220, 226)))
        async for chunk in stream:
            tokens += chunk.tokens
    assert len(tokens) == len(alone)
    assert await looking == ["red"] * 6


async def test_leaving_while_it_is_encoded_leaves_nothing(seeing: ThreadedEngine) -> None:
    for shade in range(100, 110):
        asking = asyncio.create_task(asked(seeing, BEGIN, picture((shade, shade, 0), 900, 900), ASK))
        await asyncio.sleep(0)
        asking.cancel()
    assert await colour_of(seeing, BLUE) == "blue"
    backend = backend_of(seeing)
    assert backend._media is not None
    assert not backend._media._due


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"prompt_logprobs": 1}, "cannot be scored"), ({"prompt_logprobs": 0, "max_tokens": 0}, "cannot be scored")],
)
async def test_what_pictures_do_not_allow_is_refused(
    seeing: ThreadedEngine, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        await asked(seeing, BEGIN, RED, ASK, **fields)


async def test_cells_without_their_picture_are_refused(seeing: ThreadedEngine) -> None:
    right = await about(seeing, BEGIN, RED, ASK)
    tokens = right.prompt.tokens
    for prompt in (
        Prompt(tokens),
        Prompt(tokens, (BLUE,)),
        Prompt(tokens, (RED, RED)),
        Prompt(tokens[:-6], (RED,)),
        Prompt((*tokens, -7), (RED,)),
        Prompt(tokens[::-1], (RED,)),
    ):
        with pytest.raises(BadRequest):
            await whole(seeing, Generation(prompt=prompt, max_tokens=1))


async def test_penalties_look_back_past_a_picture(seeing: ThreadedEngine) -> None:
    sampling = Sampling(temperature=0, repetition_penalty=1.2, dry_multiplier=0.8, no_repeat_ngram_size=3)
    chunk = await asked(seeing, BEGIN, ASK, RED, ANSWER, sampling=sampling, max_tokens=12, logprobs=2)
    assert len(chunk.tokens) == len(chunk.logprobs) > 0


async def test_cells_that_see_each_other_are_computed_at_once(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """Gemma's: between two tokens of its own, in one physical batch however small that was to be."""
    own = write_random_projector(tmp_path / "mmproj.gguf", "gemma3", width=640)
    spec = llama_spec(model_file(GEMMA), mmproj=str(own), ubatch_size=1, context=512)
    llama_cpp.probe(spec)
    async with llama_engine(llama_cpp, spec) as engine:
        tokens = await engine.media_tokens(RED.shape)
        assert tokens[0] >= 0 > tokens[1]
        assert tokens[-1] >= 0
        first = await asked(engine, "This picture", RED, " shows", logprobs=1)
        again = await asked(engine, "This picture", RED, " shows", logprobs=1)
        other = await asked(engine, "This picture", BLUE, " shows", logprobs=1)
    assert first.logprobs[0].token == again.logprobs[0].token
    assert usage_of(again)[1] == usage_of(again)[0] - 1
    assert first.logprobs[0].logprob != other.logprobs[0].logprob
