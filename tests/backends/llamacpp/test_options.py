"""Every value that a menu or `--help` offers can be loaded, or is refused before the weights are read."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llama_cpp import llama_cpp as c

from modules.backends.base import read_options
from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.options import CACHE_TYPE_SYNONYMS, CACHE_TYPES, SPLIT_MODES, LlamaCppOptions
from modules.backends.llamacpp.refusals import Facts, check_options
from modules.backends.registry import BACKENDS
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed
from modules.models.options import load_spec, options_of_loader
from modules.settings.option_values import OptionKind
from modules.settings.values import OPTIONS, Settings
from tests.backends.loading import changed_spec, llama_spec
from tests.model_files import SMOLLM2

LOADED = "llama.cpp"
FACTS = Facts("llama", (64, 64), has_gpu=False)


def values_of(name: str) -> list[object]:
    """What is offered for an option; a few of those that are free."""
    option = OPTIONS[name]
    if name == "cache_type":
        return [*option.choices, *CACHE_TYPE_SYNONYMS]
    if name == "control_vector_layers":
        return [(), (3.0, 9.0)]
    match option.kind:
        case OptionKind.SWITCH:
            return [False, True]
        case OptionKind.CHOICE:
            return list(option.choices)
        case OptionKind.NUMBERS:
            return [(), (1.0,), (3.0, 1.0)]
        case _:
            return [option.default]


# All defaults together are loaded by every other test.
OFFERED = [
    (name, value)
    for name in options_of_loader(Settings, LOADED)
    for value in values_of(name)
    if value != OPTIONS[name].default
]


def spec_of(path: Path, **changes: Any) -> LoadSpec:
    settings = Settings.model_validate({"ctx_size": 256, "threads": 1, "parallel": 2, **changes})
    return load_spec(settings, name=path.name, path=str(path), loader=LOADED)


def check(spec: LoadSpec, facts: Facts) -> None:
    check_options(spec, read_options(LlamaCppOptions, spec), facts)


@pytest.mark.model
@pytest.mark.parametrize(("name", "value"), OFFERED, ids=str)
def test_what_is_offered_loads_or_is_refused_by_the_probe(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], name: str, value: object
) -> None:
    spec = spec_of(model_file(SMOLLM2), **{name: value})
    if (name, value) == ("split_mode", "tensor") and not llama_cpp._devices.by_name():
        with pytest.raises(LoadFailed, match="graphics card"):
            llama_cpp.probe(spec)
        return
    llama_cpp.probe(spec)
    llama_cpp.load(spec, lambda fraction: None).close()


@pytest.mark.model
@pytest.mark.parametrize(("chosen", "flash"), list(itertools.product(CACHE_TYPES, ["off", "on"])))
def test_cache_types_with_and_without_flash_attention(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], chosen: str, flash: str
) -> None:
    spec = spec_of(model_file(SMOLLM2), cache_type=chosen, flash_attn=flash)
    if flash == "off" and CACHE_TYPES[chosen].is_quantized:
        with pytest.raises(LoadFailed, match=f"--cache-type {chosen} needs flash attention"):
            llama_cpp.probe(spec)
        return
    llama_cpp.probe(spec)
    llama_cpp.load(spec, lambda fraction: None).close()


def test_the_help_names_what_there_is() -> None:
    assert set(OPTIONS["cache_type"].choices) == set(CACHE_TYPES)
    assert set(OPTIONS["split_mode"].choices) == set(SPLIT_MODES)
    assert tuple(OPTIONS["loader"].choices) == BACKENDS.names


def test_numbers_of_the_formats_are_ggmls_own() -> None:
    own = {name.removeprefix("GGML_TYPE_").lower(): value for name, value in vars(c).items() if "GGML_TYPE_" in name}
    names = {"fp32": "f32", "fp16": "f16"}
    for name, known in CACHE_TYPES.items():
        if names.get(name, name) in own:
            assert known.ggml == own[names.get(name, name)], name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cache_type": "q9_9"}, "Choose one of: .*q8_0"),
        ({"cache_type": "q4_0", "flash_attn": "off"}, "needs flash attention"),
        ({"split_mode": "tensor"}, "graphics card"),
        ({"split_mode": "diagonal"}, "Choose one of: layer"),
    ],
)
def test_refusals_say_what_to_choose(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadFailed, match=words):
        check(llama_spec(Path("m.gguf"), **changes), FACTS)


@pytest.mark.parametrize(
    ("sizes", "refused"), [((80, 80), True), ((64, 80), True), ((96, 128), False), ((0, 0), False)]
)
def test_heads_have_to_divide_into_blocks(sizes: tuple[int, int], refused: bool) -> None:
    facts, spec = replace(FACTS, head_sizes=sizes), llama_spec(Path("m.gguf"), cache_type="q8_0")
    check(changed_spec(spec, cache_type="fp16"), facts)
    if refused:
        with pytest.raises(LoadFailed, match="do not divide"):
            check(spec, facts)
    else:
        check(spec, facts)


def test_tensors_are_split_over_graphics_cards_with_flash_attention_only() -> None:
    facts, spec = replace(FACTS, has_gpu=True), llama_spec(Path("m.gguf"), split_mode="tensor")
    check(spec, facts)
    for changes in ({"flash_attn": "off"}, {"gpu_layers": 0}):
        with pytest.raises(LoadFailed):
            check(changed_spec(spec, **changes), facts)


@pytest.mark.parametrize("spelling", [*CACHE_TYPES, *CACHE_TYPE_SYNONYMS, "Q8_0", "FP16"])
def test_every_spelling_is_known_everywhere(spelling: str) -> None:
    assert read_options(LlamaCppOptions, llama_spec(Path("m.gguf"), cache_type=spelling)).cache_type in CACHE_TYPES
    assert Settings.model_validate({"cache_type": spelling}).model_dump()["cache_type"] in CACHE_TYPES
