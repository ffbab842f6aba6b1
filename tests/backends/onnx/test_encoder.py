"""Encoders on ONNX Runtime compute what transformers and sentence-transformers compute."""

import json
import random
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from modules.backends.encoders.backend import TOKENS_OF_A_STEP, EncoderBackend
from modules.backends.onnx.loader import OnnxLoader
from modules.engine.types import Generation, Job, LoadSpec, ModelKind, Prompt
from modules.errors import BadRequest, LoadFailed
from tests.encoder_folder import SIZE, TYPES, write_encoder
from tests.golden.embedding_texts import VECTORS, texts
from tests.model_files import model_folder

GOLDEN: Final = Path(__file__).parents[2] / "golden" / "encoder_values.json"
MINILM: Final = "sentence-transformers_all-MiniLM-L6-v2"
MPNET: Final = "sentence-transformers_all-mpnet-base-v2"


def loaded(folder: Path, kind: ModelKind = ModelKind.EMBEDDING, **fields: Any) -> EncoderBackend:
    spec = LoadSpec(name=folder.name, path=str(folder), loader="ONNX Runtime", kind=kind, **fields)
    card = OnnxLoader().probe(spec)
    backend = OnnxLoader().load(spec, lambda _fraction: None)
    assert backend.card == card
    return backend


def read(backend: EncoderBackend, given: Sequence[str | tuple[str, str]], *, special: bool = False) -> list[Any]:
    """The row of each text or pair, in their order."""
    for number, text in enumerate(given):
        prompt = Prompt(prompt_of(backend, text, special=special))
        backend.admit(Job(number, Generation(prompt=prompt, embedding=0)), None)
    rows: dict[int, Any] = {}
    while backend.has_work:
        for output in backend.step():
            assert output.embedding is not None
            rows[output.job_id] = np.frombuffer(output.embedding, "<f4")
    return [rows[number] for number in range(len(given))]


def prompt_of(backend: EncoderBackend, text: str | tuple[str, str], *, special: bool = False) -> tuple[int, ...]:
    card, tokenizer = backend.card, backend.tokenizer
    if isinstance(text, tuple):
        begin, middle, end = card.pair_frame
        first, second = (tokenizer.encode(each, special=False) for each in text)
        return (*begin, *first, *middle, *second, *end)
    begin, end = card.embedding_frame
    tokens = tokenizer.encode(text, special=special)
    return (*begin, *tokens[: card.context - len(begin) - len(end)], *end)


def golden(kind: str) -> tuple[list[tuple[str, str]], Mapping[str, Any]]:
    stored = json.loads(GOLDEN.read_text("utf-8"))
    return [(first, second) for first, second in stored["pairs"]], stored["values"][kind]


@pytest.mark.parametrize("kind", TYPES)
def test_states_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    pairs, values = golden(kind)
    vectors = read(loaded(write_encoder(tmp_path / kind, kind)), [first for first, _ in pairs])
    for vector, state in zip(vectors, np.array(values["states"]), strict=True):
        assert np.allclose(vector, state / np.linalg.norm(state), atol=1e-5)


@pytest.mark.parametrize("kind", TYPES)
def test_scores_of_pairs_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    """Alone and in a batch; BERT tells the second text by its type, the others do not."""
    pairs, values = golden(kind)
    backend = loaded(write_encoder(tmp_path / kind, kind, labels=2), ModelKind.RERANK)
    assert np.allclose(read(backend, pairs), values["scores"], atol=1e-4)
    for pair, scores in zip(pairs, values["scores"], strict=True):
        assert np.allclose(read(backend, [pair])[0], scores, atol=1e-4)


def vectors_are_close(name: str, folder: Path) -> None:
    stored = np.load(VECTORS)[name].astype(np.float32)
    # sentence-transformers reads the names of special tokens as these.
    made = np.array(read(loaded(folder), texts(), special=True))
    cosines = (made * stored).sum(1) / np.linalg.norm(stored, axis=1)
    assert cosines.min() >= 0.9999


def test_minilm_gives_the_vectors_of_sentence_transformers() -> None:
    vectors_are_close("all-MiniLM-L6-v2", model_folder(MINILM))


@pytest.mark.extended
def test_mpnet_gives_the_vectors_of_sentence_transformers() -> None:
    vectors_are_close("all-mpnet-base-v2", model_folder(MPNET))


def test_a_text_has_the_same_vector_in_any_company() -> None:
    backend = loaded(model_folder(MINILM))
    given = texts()[:120]
    together = read(backend, given)
    order = random.Random(5).sample(range(len(given)), len(given))
    shuffled = dict(zip(order, read(backend, [given[at] for at in order]), strict=True))
    for at in range(0, len(given), 6):
        (alone,) = read(backend, [given[at]])
        assert np.abs(together[at] - alone).max() < 1e-5
        assert np.abs(together[at] - shuffled[at]).max() < 1e-5


def test_a_step_is_short_and_takes_the_oldest_first(tmp_path: Path) -> None:
    backend = loaded(write_encoder(tmp_path / "model"))
    lengths = [40, 5, 41, 39, *([38] * 100)]
    for number, length in enumerate(lengths):
        backend.admit(Job(number, Generation(prompt=Prompt((2,) * length), embedding=0)), None)
    first = {output.job_id for output in backend.step()}
    assert 0 in first
    assert 1 not in first
    assert sum(lengths[number] for number in first) <= TOKENS_OF_A_STEP
    assert 1 in {output.job_id for output in backend.step()}
    backend.drop(next(number for number in range(4, 104) if number not in first))
    while backend.has_work:
        assert list(backend.step())


def test_few_dimensions_are_the_first_ones_at_length_one(tmp_path: Path) -> None:
    backend = loaded(write_encoder(tmp_path / "model"))
    (whole,) = read(backend, ["abc"])
    backend.admit(Job(1, Generation(prompt=Prompt(prompt_of(backend, "abc")), embedding=4)), None)
    (output,) = backend.step()
    few = np.frombuffer(output.embedding or b"", "<f4")
    assert np.allclose(few, whole[:4] / np.linalg.norm(whole[:4]), atol=1e-6)


@pytest.mark.parametrize("tokens", [(), (10_000,), (-1,), (2,) * 200])
def test_prompts_that_cannot_be_read_are_refused(tmp_path: Path, tokens: tuple[int, ...]) -> None:
    backend = loaded(write_encoder(tmp_path / "model"))
    with pytest.raises(BadRequest) as refused:
        backend.admit(Job(1, Generation(prompt=Prompt(tokens), embedding=0)), None)
    assert refused.value.param == "input"
    assert not backend.has_work


def test_it_writes_no_text(tmp_path: Path) -> None:
    backend = loaded(write_encoder(tmp_path / "model"))
    with pytest.raises(BadRequest, match="writes none"):
        backend.admit(Job(1, Generation(prompt=Prompt((2, 3)))), None)


def test_all_poolings_of_one_text_alone_and_padded(tmp_path: Path) -> None:
    keys = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    for key in keys:
        folder = write_encoder(tmp_path / key)
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{key}": True}), "utf-8")
        backend = loaded(folder)
        (alone,) = read(backend, ["abc"])
        assert np.allclose(read(backend, ["abc", "a" * 30])[0], alone, atol=1e-5), key
        assert alone.shape == (SIZE,)


def broken(folder: Path, how: str) -> None:
    weights = folder / "model.safetensors"
    match how:
        case "cut off":
            weights.write_bytes(weights.read_bytes()[:-100])
        case "no header":
            weights.write_bytes(b"junk")
        case "header of a hundred gigabytes":
            weights.write_bytes(struct.pack("<Q", 10**11) + b"{}")
        case "no tokenizer":
            (folder / "tokenizer.json").write_text("{}", "utf-8")
        case "no configuration":
            (folder / "config.json").write_text("[]", "utf-8")
        case "other architecture":
            config = json.loads((folder / "config.json").read_text("utf-8")) | {"model_type": "modernbert"}
            (folder / "config.json").write_text(json.dumps(config), "utf-8")
        case "a module outside":
            (folder / "modules.json").write_text('[{"path": "../x", "type": "a.Transformer"}]', "utf-8")


@pytest.mark.parametrize(
    "how",
    [
        "cut off",
        "no header",
        "header of a hundred gigabytes",
        "no tokenizer",
        "no configuration",
        "other architecture",
        "a module outside",
    ],
)
def test_broken_folders_are_refused(tmp_path: Path, how: str) -> None:
    folder = write_encoder(tmp_path / "model")
    broken(folder, how)
    with pytest.raises(LoadFailed) as failure:
        loaded(folder)
    assert str(tmp_path) not in failure.value.message


@pytest.mark.parametrize("device", ["cuda", "tpu", "cuda:x"])
def test_devices_that_are_not_there_are_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(LoadFailed, match="device"):
        loaded(write_encoder(tmp_path / "model"), options={"openai_embedding_device": device})
