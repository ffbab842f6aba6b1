"""Estimates of memory, against what models really take."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from modules.backends.base import read_options
from modules.backends.llamacpp.gguf_header import read_gguf
from modules.backends.llamacpp.memory.estimate import Estimate, can_use_gpu, estimate, estimate_shape
from modules.backends.llamacpp.memory.shape import Layer, ModelShape, shape_of
from modules.backends.llamacpp.options import LlamaCppOptions
from modules.engine.types import LoadSpec
from modules.models.gauge import host_room, room_now
from modules.paths import PROGRAM_FOLDER
from tests.backends.loading import changed_spec
from tests.gguf_file import write_gguf
from tests.model_files import GEMMA, QWEN, SMOLLM2

MIB = 2**20
SHAPE = ModelShape(
    layers=(Layer(100 * MIB, 1024, 1024, 0, is_windowed=False),) * 4,
    input=50 * MIB,
    output=60 * MIB,
    is_tied=False,
    vocabulary=1000,
    embedding=512,
    heads=8,
    feed_forward=2048,
    window=0,
    trained_context=4096,
)


def spec(path: str = "", **fields: Any) -> LoadSpec:
    return changed_spec(LoadSpec(name="model", path=path, loader="llama.cpp"), **fields)


def of(shape: ModelShape = SHAPE, *, gpus: Sequence[int] = (8 * 2**30,), **fields: Any) -> Estimate:
    loading = spec(**fields)
    return estimate_shape(shape, loading, read_options(LlamaCppOptions, loading), gpus)


def loaded(path: Path, fields: dict[str, Any]) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.models.loaded_memory", str(path), json.dumps(fields)]
    done = subprocess.run(command, cwd=PROGRAM_FOLDER, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.extended
@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (SMOLLM2, {}),
        (QWEN, {}),
        (GEMMA, {}),
        (GEMMA, {"context": 2048, "cache_type": "q8_0", "swa_full": False}),
    ],
)
def test_models_take_what_was_estimated(model_file: Callable[[str], Path], name: str, fields: dict[str, Any]) -> None:
    """Each part and their sum within a tenth of what llama.cpp says that it took, the cache to the percent. The whole is no
    less than nine tenths of what belongs to the process alone, and no more than a quarter above what it has in memory,
    pages of the file included: buffers are reserved for the longest prompt, and this one is short."""
    path = model_file(name)
    real = loaded(path, fields)
    found, lean = (
        estimate(path, loading, read_options(LlamaCppOptions, loading))
        for loading in (spec(str(path), **fields), spec(str(path), idle_cells=0, **fields))
    )
    cells = lean.cache
    assert cells == pytest.approx(real["KV"], rel=0.01)
    program = 10 * MIB + 200 * shape_of(read_gguf(path)).vocabulary
    buffers = found.buffers - program
    assert found.weights == pytest.approx(real["model"], rel=0.1)
    assert buffers == pytest.approx(real["compute"] + real["output"], rel=0.1)
    taken = sum(real[part] for part in ("model", "KV", "compute", "output"))
    assert found.weights + cells + buffers == pytest.approx(taken, rel=0.1)
    assert 0.9 * real["own"] <= found.total <= 1.25 * real["resident"]


def test_layers_go_to_the_gpu_from_the_last() -> None:
    everything, half, nothing = of(), of(gpu_layers=3), of(gpu_layers=0)
    assert (everything.gpu_layers, half.gpu_layers, nothing.gpu_layers, half.layers) == (4, 3, 0, 4)
    assert everything.weights == half.weights == nothing.weights == 510 * MIB
    assert nothing.gpu == 0
    cells = 8192 * 2048 * 2
    assert everything.gpu - half.gpu == 2 * (100 * MIB + cells)
    assert everything.host < half.host < nothing.host
    assert all(each.gpu + each.host == each.total for each in (everything, half, nothing))


def test_without_a_gpu_nothing_is_on_it() -> None:
    assert of(gpus=(), gpu_layers=99).gpu == 0


def test_the_cache_may_stay_on_the_host() -> None:
    kept = of(no_kv_offload=True)
    assert of().gpu - kept.gpu == kept.host - of().host == 4 * 8192 * 2048 * 2


def test_a_tied_output_is_copied_to_the_gpu() -> None:
    tied = ModelShape(**{name: getattr(SHAPE, name) for name in SHAPE.__slots__} | {"is_tied": True, "output": 0})
    assert of(tied).weights == of(tied, gpu_layers=0).weights + 50 * MIB


@pytest.mark.parametrize(
    ("fields", "cells"),
    [({"context": 0}, 4096), ({"context": 1000}, 1024), ({"kv_cells": 16384}, 16384), ({"context": 512}, 512)],
)
def test_cells_of_the_cache(fields: dict[str, Any], cells: int) -> None:
    assert of(idle_cells=0, **fields).cache == cells * 4 * 2048 * 2


@pytest.mark.parametrize(("cache_type", "bits"), [("fp32", 32), ("fp16", 16), ("q8_0", 8.5), ("q4_0", 4.5)])
def test_formats_of_the_cache(cache_type: str, bits: float) -> None:
    assert of(idle_cells=0, cache_type=cache_type).cache == 8192 * 4 * 2048 * bits / 8


def test_finished_requests_lie_on_the_host() -> None:
    assert of().cache - of(idle_cells=0).cache == 4096 * 4 * 2048 * 2
    assert of(idle_cells=100).host - of(idle_cells=0).host == 100 * 4 * 2048 * 2


def test_windows_hold_less_when_not_full() -> None:
    windowed = Layer(100 * MIB, 1024, 1024, 0, is_windowed=True)
    shape = ModelShape(
        **{name: getattr(SHAPE, name) for name in SHAPE.__slots__}
        | {"layers": (windowed, windowed, SHAPE.layers[0]), "window": 100}
    )
    full, short = of(shape, idle_cells=0), of(shape, idle_cells=0, swa_full=False, parallel=2, ubatch_size=128)
    assert full.cache == 3 * 8192 * 4096
    assert short.cache == (8192 + 2 * 768) * 4096


def shape_from(tmp_path: Path, architecture: str, fields: dict[str, object]) -> ModelShape:
    metadata = {"general.architecture": architecture} | {
        f"{architecture}.{key}": value for key, value in fields.items()
    }
    tensors = {"token_embd.weight": 3200, "blk.0.x": 32, "blk.1.x": 64, "output.weight": 96, "output_norm.weight": 32}
    return shape_of(read_gguf(write_gguf(tmp_path / "m.gguf", metadata, tensors)))


USUAL: dict[str, object] = {"block_count": 2, "embedding_length": 64, "attention.head_count": 4}


def test_weights_by_place(tmp_path: Path) -> None:
    shape = shape_from(tmp_path, "llama", USUAL)
    assert ([layer.weights for layer in shape.layers], shape.input, shape.output) == ([32, 64], 3200, 128)
    assert [(layer.keys, layer.values) for layer in shape.layers] == [(64, 64)] * 2
    assert not shape.is_tied


def test_heads_differ_by_layer(tmp_path: Path) -> None:
    shape = shape_from(
        tmp_path,
        "new",
        USUAL | {"attention.head_count_kv": [2, 1], "attention.key_length": 8, "attention.value_length": 4},
    )
    assert [(layer.keys, layer.values) for layer in shape.layers] == [(16, 8), (8, 4)]


def test_windows_by_pattern_and_by_heart(tmp_path: Path) -> None:
    window: dict[str, object] = USUAL | {"attention.sliding_window": 512}
    stated = shape_from(tmp_path, "new", window | {"attention.sliding_window_pattern": [False, True]})
    assert [layer.is_windowed for layer in stated.layers] == [False, True]
    assert [layer.is_windowed for layer in shape_from(tmp_path, "gpt-oss", window).layers] == [True, False]
    unknown = shape_from(tmp_path, "new", window)
    assert (unknown.window, [layer.is_windowed for layer in unknown.layers]) == (0, [False, False])


def test_recurrent_layers_have_a_state_instead_of_cells(tmp_path: Path) -> None:
    state: dict[str, object] = {"ssm.inner_size": 128, "ssm.state_size": 16, "ssm.conv_kernel": 4}
    shape = shape_from(tmp_path, "hybrid", USUAL | state | {"attention.head_count_kv": [0, 2]})
    assert [(layer.keys, layer.state > 0) for layer in shape.layers] == [(0, True), (32, False)]
    assert shape.has_states


def test_free_memory_is_known() -> None:
    room = room_now()
    assert 0 < room.host_free <= room.host_total
    assert (room.gpu_free is None) is (room.gpu_total is None)
    assert can_use_gpu() in {True, False}


def test_a_containers_bound_counts(tmp_path: Path) -> None:
    whole = host_room(tmp_path)
    (tmp_path / "memory.current").write_text("3000000\n")
    (tmp_path / "memory.stat").write_text("anon 1000000\ninactive_file 1500000\nactive_file 500000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert host_room(tmp_path)[1] == whole[1]
    (tmp_path / "memory.max").write_text("5000000\n")
    assert host_room(tmp_path) == (4_000_000, 5_000_000)
    (tmp_path / "memory.max").write_text("500000\n")
    assert host_room(tmp_path) == (0, 500_000)
