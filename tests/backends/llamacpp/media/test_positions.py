"""Models whose positions have planes, and sounds: computed like llama.cpp's own helper does, and taken over by later turns."""

import ctypes
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_cpp import llama_cpp as c
from llama_cpp import mtmd_cpp as m

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.media.projector import Projector, ProjectorOptions
from modules.backends.multimodal.pieces import CellPiece, cell_pieces
from modules.engine.protocols import Engine
from modules.engine.types import Chunk, Generation, Media, Prompt
from modules.errors import BadRequest
from modules.sampling import Sampling
from tests.backends.llamacpp.media.planar_model import WIDTH, write_planar_model
from tests.backends.loading import llama_engine, llama_spec
from tests.media_samples import picture, sound
from tests.model_files import SMOLLM2
from tests.projectors import write_hearing_projector, write_random_projector
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

BEFORE, AFTER = "Look at this", " and at that. What"
WIDE = picture((9, 3, 200), 128, 96)
# As large as the logits' own differences between batches of other sizes.
NEAR = 0.02


async def asked(engine: Engine, *parts: str | Media) -> Chunk:
    tokens: list[int] = []
    for part in parts:
        if isinstance(part, str):
            tokens += await engine.tokenize(part, special=False)
        else:
            tokens += await engine.media_tokens(part.shape)
    prompt = Prompt(tuple(tokens), tuple(part for part in parts if isinstance(part, Media)))
    return await whole(engine, Generation(prompt=prompt, sampling=Sampling(temperature=0), max_tokens=1, logprobs=3))


def helper_logprobs(model_path: Path, projector: Path, parts: Sequence[str | Media]) -> np.ndarray:
    """What follows `parts` in one go, as llama.cpp's helper computes it."""
    with ExitStack() as stack:
        params = c.llama_model_default_params()
        params.n_gpu_layers = 0
        model = c.llama_model_load_from_file(str(model_path).encode(), params)
        stack.callback(c.llama_model_free, model)
        width = int(c.llama_model_n_embd_inp(model))
        opened = Projector(projector, model, ProjectorOptions(threads=1), width=width)
        stack.callback(opened.close)
        chosen = c.llama_context_default_params()
        chosen.n_ctx, chosen.n_threads, chosen.n_threads_batch = 512, 1, 1
        context = c.llama_init_from_model(model, chosen)
        stack.callback(c.llama_free, context)
        chunks = m.mtmd_input_chunks_init()
        stack.callback(m.mtmd_input_chunks_free, chunks)
        pieces = [_part(part) for part in parts]
        pointers = (ctypes.POINTER(m.mtmd_input_part) * len(pieces))(*map(ctypes.pointer, pieces))
        assert m.mtmd_tokenize_from_parts(opened._context, chunks, pointers, len(pieces), False) == 0
        place = c.llama_pos(0)
        done = m.mtmd_helper_eval_chunks(opened._context, context, chunks, 0, 0, 512, True, ctypes.byref(place))
        assert done == 0
        size = c.llama_vocab_n_tokens(c.llama_model_get_vocab(model))
        logits = np.ctypeslib.as_array(c.llama_get_logits_ith(context, -1), (size,)).astype(np.float64)
        return np.asarray(logits - logits.max() - np.log(np.exp(logits - logits.max()).sum()))


def _part(part: str | Media) -> Any:
    if isinstance(part, str):
        text = part.encode()
        return m.mtmd_input_part(text=ctypes.pointer(m.mtmd_input_text(text, len(text), False, False)), bitmap=None)
    pixels = (ctypes.c_uint8 * len(part.data)).from_buffer_copy(part.data)
    return m.mtmd_input_part(text=None, bitmap=m.mtmd_bitmap_init(part.width, part.height, pixels))


@pytest.fixture(scope="module")
def planar(tmp_path_factory: pytest.TempPathFactory, model_file: Callable[[str], Path]) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("planar")
    model = write_planar_model(folder / "planar.gguf", model_file(SMOLLM2))
    return model, write_random_projector(folder / "mmproj.gguf", "qwen2vl_merger", width=WIDTH)


@pytest.mark.parametrize("batch_size", [2048, 160])
async def test_planes_are_those_of_the_helper(
    llama_cpp: LlamaCppLoader, planar: tuple[Path, Path], batch_size: int
) -> None:
    model, projector = planar
    parts = (BEFORE, WIDE, AFTER, picture((1, 200, 30), 96, 160), AFTER)
    expected = helper_logprobs(model, projector, parts)
    spec = llama_spec(model, mmproj=str(projector), context=512, batch_size=batch_size)
    llama_cpp.probe(spec)
    async with llama_engine(llama_cpp, spec) as engine:
        found = (await asked(engine, *parts)).logprobs[0]
        assert found.token == int(expected.argmax())
        for each in found.top:
            assert each.logprob == pytest.approx(expected[each.token], abs=NEAR)


async def test_a_picture_takes_fewer_positions_than_cells(llama_cpp: LlamaCppLoader, planar: tuple[Path, Path]) -> None:
    """A later turn begins behind it, at the same place as if all had been computed anew."""
    model, projector = planar
    longer = (BEFORE, WIDE, AFTER, " else is there to be seen in it?")
    expected = helper_logprobs(model, projector, longer)
    async with llama_engine(llama_cpp, llama_spec(model, mmproj=str(projector), context=512)) as engine:
        media = engine._backend._media  # type: ignore[attr-defined]
        (piece,) = cell_pieces(media.pieces(WIDE.shape))
        assert isinstance(piece, CellPiece)
        assert piece.positions < piece.count
        first = await asked(engine, BEFORE, WIDE, AFTER)
        await asked(engine, "Something that pushes it out of the cache, into main memory,")
        second = await asked(engine, *longer)
        assert first.usage is not None
        assert second.usage is not None
        assert second.usage.cached_tokens >= first.usage.prompt_tokens - 1
        assert second.logprobs[0].token == int(expected.argmax())
        assert second.logprobs[0].logprob == pytest.approx(expected.max(), abs=NEAR)
        assert media.encoder.encoded == 1


async def test_sounds_take_the_same_way(llama_cpp: LlamaCppLoader, planar: tuple[Path, Path], tmp_path: Path) -> None:
    projector = write_hearing_projector(tmp_path / "mmproj-hears.gguf", width=WIDTH)
    spec = llama_spec(planar[0], mmproj=str(projector), context=1024)
    llama_cpp.probe(spec)
    async with llama_engine(llama_cpp, spec) as engine:
        assert engine.card.modalities == ("text", "audio")
        hum, hiss = (sound([level, -level] * 800, engine.card.audio_rate) for level in (0.1, 0.7))
        first, again, other = [await asked(engine, "Listen:", each, AFTER) for each in (hum, hum, hiss)]
        assert first.usage is not None
        assert again.usage is not None
        assert first.usage.audio_tokens > 0 == first.usage.image_tokens
        assert again.usage.cached_tokens == again.usage.prompt_tokens - 1
        assert first.logprobs[0].logprob != other.logprobs[0].logprob
        assert again.logprobs[0].token == first.logprobs[0].token
        with pytest.raises(BadRequest, match="cannot read pictures"):
            await whole(engine, Generation(prompt=Prompt((1, -5), (WIDE,)), max_tokens=1))
