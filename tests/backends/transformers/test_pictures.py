"""Models of the Transformers loader that read pictures: what they say is what `generate` says with their own processor."""

import asyncio
import json
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.backends.hub_folder import ModelFolder
from modules.backends.registry import BACKENDS
from modules.backends.transformers.library import transformers
from modules.backends.transformers.pictures.processor import PictureProcessor, picture_of, picture_text
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Adapter, Generation, Media, MediaKind, ModelKind, Prompt
from modules.errors import BadRequest, LoadFailed
from modules.media.pictures.reader import picture_digest
from modules.sampling import Sampling
from tests.backends.loading import transformers_engine, transformers_spec
from tests.backends.transformers.picture_folders import (
    LLAVA,
    MLLAMA,
    QWEN2_VL,
    SEERS,
    Seer,
    blind_gemma3n,
    seeing_folder,
)
from tests.streams import whole

COUNT = 12
CONTEXT = 400


def noise(seed: int, width: int = 40, height: int = 30) -> Media:
    data = random.Random(seed).randbytes(width * height * 3)
    digest = picture_digest(width, height, data)
    return Media(kind=MediaKind.IMAGE, data=data, digest=digest, width=width, height=height)


PICTURES = (noise(1), noise(2), noise(3, 64, 24))
# Texts with the places of pictures between them.
PROMPTS: tuple[tuple[tuple[str, ...], tuple[Media, ...]], ...] = (
    (("What is in ", "? Tell"), PICTURES[:1]),
    (("What is in ", "? Tell"), PICTURES[1:2]),
    (("", " and ", " differ"), (PICTURES[2], PICTURES[0])),
    (("no picture",), ()),
)


async def prompt_of(engine: ThreadedEngine, texts: Sequence[str], media: Sequence[Media]) -> Prompt:
    tokens = await engine.tokenize(texts[0], special=True)
    for text, each in zip(texts[1:], media, strict=True):
        tokens += await engine.media_tokens(each.shape)
        tokens += await engine.tokenize(text, special=True)
    return Prompt(tuple(tokens), tuple(media))


def greedy(prompt: Prompt, **fields: Any) -> Generation:
    wanted = {"sampling": Sampling(temperature=0), "max_tokens": COUNT, "ignore_eos": True, **fields}
    return Generation(prompt=prompt, **wanted)


def part_adapter(path: Path, folder: Path, part: str) -> Adapter:
    """Random, on the queries of one part of the model."""
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    wanted = [name for name, _ in model.named_modules() if part in name and name.endswith("q_proj")]
    path.mkdir()
    stated = {"peft_type": "LORA", "r": 2, "lora_alpha": 32, "target_modules": wanted, "task_type": "CAUSAL_LM"}
    (path / "adapter_config.json").write_text(json.dumps(stated), encoding="utf-8")
    numbers = torch.Generator().manual_seed(0)
    tensors = {}
    for name in wanted:
        tensors[f"base_model.model.{name}.lora_A.weight"] = torch.randn(2, 32, generator=numbers)
        tensors[f"base_model.model.{name}.lora_B.weight"] = torch.randn(32, 2, generator=numbers)
    save_file(tensors, path / "adapter_model.safetensors")
    return Adapter(name=path.name, path=str(path))


class Reference:
    """The model and its processor as Transformers itself runs them."""

    def __init__(self, folder: Path, seer: Seer) -> None:
        self._model = transformers.AutoModelForImageTextToText.from_pretrained(folder).eval()
        # Transformers' own class, also where the part for videos cannot be made.
        self._processor = PictureProcessor(ModelFolder.read(folder), with_code=False)._processor
        self._seer = seer

    def said(self, texts: Sequence[str], media: Sequence[Media]) -> list[int]:
        inputs = self._processor(
            text=[self._seer.token.join(texts)],
            images=[picture_of(each) for each in media] or None,
            return_tensors="pt",
            add_special_tokens=False,
        )
        end = self._model.generation_config.eos_token_id
        # What stands for pictures is none of our replies either.
        with torch.inference_mode():
            made = self._model.generate(**inputs, max_new_tokens=COUNT, do_sample=False, suppress_tokens=[end])
        return [int(token) for token in made[0, inputs["input_ids"].shape[1] :]]


@pytest.mark.parametrize("seer", SEERS, ids=lambda seer: seer.name)
async def test_greedy_replies_are_those_of_generate(tmp_path: Path, seer: Seer) -> None:
    folder = seeing_folder(tmp_path / "seeing", seer)
    reference = Reference(folder, seer)
    expected = [reference.said(*prompt) for prompt in PROMPTS]
    async with transformers_engine(transformers_spec(folder, parallel=4, context=CONTEXT)) as engine:
        assert "vision" in engine.card.capabilities
        prompts = [await prompt_of(engine, *prompt) for prompt in PROMPTS]
        together = await asyncio.gather(*(whole(engine, greedy(prompt)) for prompt in prompts))
        alone = [await whole(engine, greedy(prompt, logprobs=0)) for prompt in prompts]
    assert [list(reply.tokens) for reply in together] == expected
    assert [list(reply.tokens) for reply in alone] == expected
    # Another picture, the same text.
    assert alone[0].logprobs[0].logprob != alone[1].logprobs[0].logprob


async def test_long_pictures_are_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps with room for eight tokens only: of the cells of a picture, too."""
    monkeypatch.setattr("modules.backends.transformers.backend.MOST_READ", 8)
    folder = seeing_folder(tmp_path / "seeing", QWEN2_VL)
    reference = Reference(folder, QWEN2_VL)
    async with transformers_engine(transformers_spec(folder, parallel=4, context=CONTEXT)) as engine:
        prompts = [await prompt_of(engine, *prompt) for prompt in PROMPTS]
        assert sum(token < 0 for token in prompts[2].tokens) > 16
        replies = await asyncio.gather(*(whole(engine, greedy(prompt)) for prompt in prompts))
    assert [list(reply.tokens) for reply in replies] == [reference.said(*prompt) for prompt in PROMPTS]


@pytest.mark.parametrize("attention", ["auto", "sdpa"])
async def test_a_prefix_is_reused_with_the_same_pictures_only(tmp_path: Path, attention: str) -> None:
    folder = seeing_folder(tmp_path / "seeing", QWEN2_VL)
    before = "A picture of the town where I was born: "
    async with transformers_engine(transformers_spec(folder, context=CONTEXT, attn_implementation=attention)) as engine:
        first, other = [await prompt_of(engine, (before, " Describe it."), (each,)) for each in PICTURES[:2]]
        fresh = [await whole(engine, greedy(prompt)) for prompt in (first, other)]
        longer = Prompt((*first.tokens, *fresh[0].tokens, 40, 41), first.media)
        replies = [await whole(engine, greedy(prompt)) for prompt in (first, other, longer)]
    assert fresh[0].tokens != fresh[1].tokens
    assert [reply.tokens for reply in replies[:2]] == [reply.tokens for reply in fresh]
    text = next(at for at, token in enumerate(first.tokens) if token < 0)
    cached = [reply.usage.cached_tokens for reply in (*fresh, *replies) if reply.usage is not None]
    whole_prompt, reply = len(first.tokens) - 1, len(first.tokens) + COUNT - 1
    if attention == "auto":
        assert cached == [0, text, whole_prompt, whole_prompt, reply]
    else:
        # Caches of Transformers' own are taken over whole, with what was said, or not at all.
        assert cached == [0, 0, 0, 0, reply]


async def test_what_cannot_be_read_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = seeing_folder(tmp_path / "seeing", LLAVA)
    async with transformers_engine(transformers_spec(folder, context=CONTEXT)) as engine:
        prompt = await prompt_of(engine, *PROMPTS[0])
        with pytest.raises(BadRequest, match="cannot be scored"):
            await whole(engine, greedy(prompt, prompt_logprobs=1))
        wrong = Prompt(prompt.tokens, (PICTURES[1],))
        with pytest.raises(BadRequest, match="not those of its pictures"):
            await whole(engine, greedy(wrong))
        growth = engine.card.growth_bytes
    for name in ("processor_config.json", "preprocessor_config.json"):
        (folder / name).unlink()
    with caplog.at_level(logging.WARNING):
        async with transformers_engine(transformers_spec(folder, context=CONTEXT)) as engine:
            assert engine.card.modalities == ("text",)
            # Sixteen patches of 32 numbers, and twice as many between.
            assert growth - engine.card.growth_bytes == 16 * (12 * 32 + 3 * 64) * 4
            assert (await whole(engine, greedy(Prompt(prompt.tokens[:3])))).tokens
            with pytest.raises(BadRequest, match="cannot read pictures"):
                await engine.media_tokens(PICTURES[0].shape)
            with pytest.raises(BadRequest, match="cannot read pictures"):
                await whole(engine, greedy(prompt))
    assert "without reading pictures: its folder has no processor_config.json" in caplog.text


async def test_others_are_loaded_for_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Pictures in layers of their own, and a part that sees whose package is missing."""
    folders = (seeing_folder(tmp_path / "mllama", MLLAMA), blind_gemma3n(tmp_path / "gemma3n"))
    reasons = ("cannot read a picture that its processor made", "needs a package that is missing: TimmWrapperModel")
    for folder, reason in zip(folders, reasons, strict=True):
        caplog.clear()
        async with transformers_engine(transformers_spec(folder, context=CONTEXT)) as engine:
            assert engine.card.modalities == ("text",)
            (line,) = [record.message for record in caplog.records if "without reading pictures" in record.message]
            assert reason in line
            prompt = await prompt_of(engine, *PROMPTS[3])
            assert len((await whole(engine, greedy(prompt))).tokens) == COUNT
            with pytest.raises(BadRequest, match="cannot read pictures"):
                await engine.media_tokens(PICTURES[0].shape)


async def test_the_part_that_writes_is_whole_or_refused(tmp_path: Path) -> None:
    folder = blind_gemma3n(tmp_path / "gemma3n")
    tensors = load_file(folder / "model.safetensors")
    text = transformers.AutoConfig.for_model(**ModelFolder.read(folder).text)
    own = transformers.AutoModelForCausalLM.from_pretrained(folder, config=text).eval()
    async with transformers_engine(transformers_spec(folder, context=CONTEXT)) as engine:
        prompt = await prompt_of(engine, *PROMPTS[3])
        reply = await whole(engine, greedy(prompt))
    ids = torch.tensor([prompt.tokens])
    made = own.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=COUNT, do_sample=False)
    assert made[0, ids.shape[1] :].tolist() == list(reply.tokens)
    del tensors["model.language_model.norm.weight"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(LoadFailed, match="lack 1 of the part that writes"):
        async with transformers_engine(transformers_spec(folder, context=CONTEXT)):
            pass


async def test_adapters_of_the_part_that_writes_go_with_pictures(tmp_path: Path) -> None:
    folder = seeing_folder(tmp_path / "seeing", LLAVA)
    writes, sees = (part_adapter(tmp_path / part, folder, part) for part in ("language_model", "vision_tower"))
    async with transformers_engine(transformers_spec(folder, context=CONTEXT)) as engine:
        prompt, text = [await prompt_of(engine, *each) for each in (PROMPTS[0], PROMPTS[3])]
        plain = await whole(engine, greedy(prompt))
        adapted = await whole(engine, greedy(prompt, adapters=(writes,)))
        assert adapted.tokens != plain.tokens
        assert (await whole(engine, greedy(text, adapters=(sees,)))).tokens
        with pytest.raises(BadRequest, match="changes the part of the model that sees"):
            await whole(engine, greedy(prompt, adapters=(sees,)))
        assert (await whole(engine, greedy(prompt))).tokens == plain.tokens


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ '<image>\\n' }}", "<image>"),
        ("{% if part.type == 'image' %}<v><image></v>{% endif %}", "<v><image></v>"),
        ("{{ '<s><v>' }}{{ x }}<image></v>", "<image></v>"),
        ("no pictures", "<image>"),
    ],
)
def test_a_picture_stands_as_the_template_writes_it(template: str, expected: str) -> None:
    assert picture_text(template, "<image>", ("<s>", "<v>", "</v>", "<image>", "")) == expected


def test_folders_that_see_are_listed(tmp_path: Path) -> None:
    folder = seeing_folder(tmp_path / "seeing", QWEN2_VL)
    assert BACKENDS.reader_of(folder).name == "Transformers"
    assert BACKENDS.kind_of(folder) is ModelKind.CHAT
