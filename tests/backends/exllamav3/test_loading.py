"""How the ExLlamaV3 loader asks the library for a model, what it refuses, and what stands beside the model's text."""

import asyncio
import json
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from modules.backends.registry import BACKENDS
from modules.engine.types import Adapter, DraftSpec, Generation, LoadSpec, Media, MediaKind, Prompt
from modules.errors import BadRequest, LoadFailed
from modules.sampling import Sampling
from tests.backends.exllamav3.engines import RESERVED, as_if_on_cards, exllamav3_engine, exllamav3_spec
from tests.backends.transformers.folders import LLAMA, tiny_folder
from tests.streams import whole

pytestmark = pytest.mark.model


def backend_of(spec: LoadSpec, *, cards: int = 1) -> Any:
    with as_if_on_cards(cards) as loader:
        loader.probe(spec)
        return loader.load(spec, lambda fraction: None)


def test_options_reach_the_library(exllamav3: types.ModuleType, tmp_path: Path) -> None:
    options = {"cache_bits": "8,4", "gpu_split": (20.0, 24.0), "enable_tp": True, "chunk_tokens": 500, "context": 300}
    backend = backend_of(exllamav3_spec(tiny_folder(tmp_path / "tiny"), parallel=3, ngram_tokens=5, **options), cards=2)
    generator = backend._generator
    assert (generator.max_batch_size, generator.max_chunk_size, generator.num_draft_tokens) == (3, 512, 5)
    assert generator.cache.max_num_tokens == 512
    assert {name: generator.cache.fields[name] for name in ("k_bits", "v_bits", "max_history")} == {
        "k_bits": 8,
        "v_bits": 4,
        "max_history": 5,
    }
    asked = generator.model.asked
    assert (asked["use_per_device"], asked["tensor_p"], asked["tp_backend"]) == ([20.0, 24.0], True, "native")
    assert asked["warmup"]["cache"] is generator.cache
    card = backend.card
    assert (card.gpu_bytes, card.context, card.can_adapt, card.modalities) == (2 * RESERVED, 300, False, ("text",))
    backend.close()


async def test_a_draft_model_changes_no_reply(exllamav3: types.ModuleType, tmp_path: Path) -> None:
    main, draft = tiny_folder(tmp_path / "main"), tiny_folder(tmp_path / "draft", {**LLAMA, "num_hidden_layers": 1})
    generation = Generation(
        prompt=Prompt((70, 71, 72)), sampling=Sampling(temperature=0), max_tokens=10, ignore_eos=True
    )
    replies = []
    for spec in (None, DraftSpec(name="draft", path=str(draft)), DraftSpec(name="same", path=str(main))):
        async with exllamav3_engine(exllamav3_spec(main, draft=spec)) as engine:
            replies.append(await whole(engine, generation))
    assert replies[0].tokens == replies[1].tokens == replies[2].tokens
    # One that is the model itself guesses right.
    assert replies[2].usage is not None
    assert replies[2].usage.accepted_tokens > 4


@pytest.mark.parametrize(
    ("changes", "cards", "said"),
    [
        ({}, 0, "no NVIDIA graphics card"),
        ({"enable_tp": True}, 1, "--enable-tp needs two graphics cards"),
        ({"gpu_split": (8.0, 8.0)}, 1, "--gpu-split names 2 graphics cards, and there are 1"),
        ({"mtp": True}, 1, "no layers for multi-token prediction"),
        ({"mtp": True, "ngram_tokens": 3}, 1, "exclude each other"),
        ({"cache_bits": "9"}, 1, "--cache-bits '9' is not allowed"),
    ],
)
def test_what_cannot_be_is_refused_before_the_weights(
    exllamav3: types.ModuleType, tmp_path: Path, changes: dict[str, Any], cards: int, said: str
) -> None:
    spec = exllamav3_spec(tiny_folder(tmp_path / "tiny"), **changes)
    with as_if_on_cards(cards) as loader, pytest.raises(LoadFailed, match=said):
        loader.probe(spec)


def test_what_the_library_cannot_run_is_said(exllamav3: types.ModuleType, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["OtherForCausalLM"]}))
    with as_if_on_cards(1) as loader, pytest.raises(LoadFailed, match="ExLlamaV3 cannot load tiny: Unknown arch"):
        loader.probe(exllamav3_spec(folder))


def test_the_estimate_counts_bits_and_pages(tmp_path: Path) -> None:
    spec = exllamav3_spec(tiny_folder(tmp_path / "tiny"), context=1000, scored_tokens=0)
    backend = BACKENDS.named("ExLlamav3")
    parts = dict(backend.estimate(spec, (8 << 30,)).parts)
    assert parts["cache"] == 1024 * 3 * 2 * 2 * 16 * 2
    quarter = exllamav3_spec(Path(spec.path), context=1000, scored_tokens=0, cache_bits="4")
    assert dict(backend.estimate(quarter).parts)["cache"] == parts["cache"] // 4


class _Linear:
    """A layer as adapters see it."""

    def __init__(self) -> None:
        self.is_sliced, self.in_features, self.out_features, self.device = False, 64, 64, "cpu"
        self.lora_a_tensors: dict[Any, torch.Tensor] = {}
        self.lora_b_tensors: dict[Any, torch.Tensor] = {}


def write_adapter(folder: Path, layer: str = "model.layers.0.self_attn.q_proj") -> Adapter:
    folder.mkdir()
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    tensors = {f"base_model.model.{layer}.lora_{half}.weight": torch.ones(*shape) for half, shape in SHAPES.items()}
    save_file(tensors, folder / "adapter_model.safetensors")
    return Adapter(name=folder.name, path=str(folder))


SHAPES = {"A": (4, 64), "B": (64, 4)}


def test_adapters_are_attached_in_turn_and_the_cache_forgets(
    exllamav3: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from exllamav3.model import lora  # noqa: PLC0415 - with the library

    from modules.backends.exllamav3.adapters import LoraAdapters  # noqa: PLC0415

    monkeypatch.setattr(lora, "Linear", _Linear)
    layer, forgotten = _Linear(), []
    model = types.SimpleNamespace(modules_dict={"model.layers.0.self_attn.q_proj": layer})
    one, two = write_adapter(tmp_path / "one"), write_adapter(tmp_path / "two")
    adapters = LoraAdapters(model, [one], lambda: forgotten.append(True))
    assert len(layer.lora_a_tensors) == 1
    assert float(next(iter(layer.lora_b_tensors.values()))[0, 0]) == 2.0
    half = Adapter(name="two", path=two.path, scale=0.5)
    adapters.apply(adapters.group_of([half, one]))
    assert sorted(float(b[0, 0]) for b in layer.lora_b_tensors.values()) == [1.0, 2.0]
    adapters.apply(adapters.group_of([]))
    assert layer.lora_a_tensors == {}
    assert len(forgotten) == 3
    with pytest.raises(BadRequest, match="names none of its layers"):
        adapters.group_of([write_adapter(tmp_path / "other", "model.layers.9.self_attn.q_proj")])


async def test_requests_with_other_adapters_wait_for_their_turn(
    exllamav3: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from exllamav3.model import lora  # noqa: PLC0415 - with the library

    monkeypatch.setattr(lora, "Linear", _Linear)
    one = write_adapter(tmp_path / "one")
    async with exllamav3_engine(exllamav3_spec(tiny_folder(tmp_path / "tiny"))) as engine:
        backend: Any = engine._stepper._backend
        backend._generator.model.modules_dict["model.layers.0.self_attn.q_proj"] = _Linear()
        backend._adapters._model = backend._generator.model
        prompt = Prompt(tuple([70] * 300))
        base = Generation(prompt=prompt, sampling=Sampling(temperature=0), max_tokens=6, ignore_eos=True)
        adapted = Generation(
            prompt=prompt, sampling=Sampling(temperature=0), max_tokens=6, ignore_eos=True, adapters=(one,)
        )
        replies = await asyncio.gather(*(whole(engine, each) for each in (base, adapted, base, adapted)))
        again = await whole(engine, adapted)
    assert all(len(reply.tokens) == 6 for reply in replies)
    # What was computed with others is not found again; what was computed with the same is.
    assert [reply.usage and reply.usage.cached_tokens > 0 for reply in replies] == [False, False, False, False]
    assert again.usage is not None
    assert again.usage.cached_tokens >= 256


class _Vision:
    """Two rows for every ten pixels of width, between a mark before and one after."""

    def __init__(self) -> None:
        self.read = 0

    def get_image_embeddings(self, tokenizer: Any, image: Any) -> Any:
        from exllamav3 import MMEmbedding  # noqa: PLC0415 - with the library

        self.read += 1
        rows = image.width // 10 * 2
        string = torch.tensor([[1, *[-1] * rows, 2]])
        return MMEmbedding(embeddings=torch.zeros(rows, 4), token_string=string)


def picture(width: int, shade: int) -> Media:
    return Media(
        kind=MediaKind.IMAGE, data=bytes([shade]) * (width * 8 * 3), digest=bytes([shade]) * 32, width=width, height=8
    )


def test_pictures_become_ids_of_their_own(exllamav3: types.ModuleType) -> None:
    import threading  # noqa: PLC0415

    from modules.backends.exllamav3.pictures import VisionReader  # noqa: PLC0415

    vision = _Vision()
    reader = VisionReader(vision, None, threading.Lock())
    first, second = picture(20, 1), picture(20, 2)
    tokens = [9, *reader.media_tokens(first.shape), 8, *reader.media_tokens(second.shape)]
    assert len(tokens) == 2 + 2 * 6
    assert vision.read == 1
    prompt = Prompt(tuple(tokens), media=(first, second))
    assert not reader.knows(prompt)
    embeddings = reader.embeddings(prompt)
    assert reader.knows(prompt)
    ids = reader.ids(prompt, embeddings)
    assert [token < 100 for token in ids] == [token >= 0 for token in tokens]
    assert len({token for token in ids if token > 100}) == 8
    # The same objects are known again, so that the cache knows their pages.
    assert reader.ids(prompt, reader.embeddings(prompt)) == ids
    assert vision.read == 3
    with pytest.raises(BadRequest, match="not those of its pictures"):
        reader.ids(Prompt(tuple(tokens[:-2]), media=(first, second)), embeddings)
    with pytest.raises(BadRequest, match="no sounds"):
        reader.media_tokens(Media(kind=MediaKind.AUDIO, data=b"", digest=b"0" * 32).shape)
