"""A voice like Piper's, made in a moment: for each phoneme it hums as long as a real one speaks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from modules.backends.onnx.model_proto import ElementType, GraphProto, Value

RATE: Final = 22_050
# Samples for each id of a phoneme, with the length scale of 1.
HOP: Final = 400
_PHONEMES: Final = " !'(),-.:;?abcdefhijklmnoprstuvwxzæçðøħŋœɐɑɒɔəɚɛɜɟɡɪɫɬɱɲɹɾʁʃʊʌʒʔʲˈˌːθᵻ̩̃"


def write_piper(folder: Path, name: str, *, speakers: Sequence[str] = (), **settings: Any) -> Path:
    """Returns the graph's path. The settings file has `settings` beside the usual ones."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / f"{name}.onnx"
    graph.write_bytes(_graph(has_speakers=bool(speakers)))
    marks = {"_": [0], "^": [1], "$": [2]}
    usual = {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": {speaker: number for number, speaker in enumerate(speakers)},
        "phoneme_id_map": marks | {phoneme: [3 + number] for number, phoneme in enumerate(_PHONEMES)},
    }
    graph.with_name(f"{graph.name}.json").write_text(json.dumps(usual | settings), encoding="utf-8")
    return graph


def _graph(*, has_speakers: bool) -> bytes:
    """`HOP` samples of a tone for each id; the higher the number of the speaker, the higher the tone."""
    inputs = [
        Value("input", ElementType.INT64, (1, "ids")),
        Value("input_lengths", ElementType.INT64, (1,)),
        Value("scales", ElementType.FLOAT, (3,)),
    ]
    if has_speakers:
        inputs.append(Value("sid", ElementType.INT64, (1,)))
    graph = GraphProto(inputs, [Value("output", ElementType.FLOAT, ("samples",))])
    zero, one = graph.integers("zero", [0], is_scalar=True), graph.integers("one", [1], is_scalar=True)

    def floating(value: str) -> str:
        return graph.node("Cast", value, to=ElementType.FLOAT.value)

    ids = floating(graph.node("Gather", graph.node("Shape", "input"), one))
    hop = graph.node("Mul", floating(graph.integers("hop", [HOP], is_scalar=True)), graph.node("Gather", "scales", one))
    count = graph.node("Cast", graph.node("Mul", ids, hop), to=ElementType.INT64.value)
    times = floating(graph.node("Range", zero, count, one))
    step = floating(graph.node("Add", one, "sid") if has_speakers else one)
    slow, quiet = floating(graph.integers("slow", [20], is_scalar=True)), floating(graph.integers("quiet", [3]))
    tone = graph.node("Sin", graph.node("Mul", times, graph.node("Div", step, slow)))
    graph.node("Div", tone, quiet, output="output")
    return graph.serialized()
