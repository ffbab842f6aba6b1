"""What is left on automatic is chosen so that the model fits, on many machines."""

from typing import Any

import pytest

from modules.backends.base import read_options
from modules.backends.llamacpp.memory.estimate import estimate_shape
from modules.backends.llamacpp.memory.fit import Fit, described, fit
from modules.backends.llamacpp.memory.shape import Layer, ModelShape
from modules.backends.llamacpp.options import LlamaCppOptions
from modules.engine.types import LoadSpec
from tests.backends.loading import changed_spec

MIB, GIB = 2**20, 2**30


def shape(*, layers: int, weights: int, experts: int = 0, width: int = 1024) -> ModelShape:
    """`weights` and `experts` in MiB of each layer."""
    layer = Layer(weights * MIB, width, width, 0, is_windowed=False, experts=experts * MIB)
    return ModelShape(
        layers=(layer,) * layers,
        input=500 * MIB,
        output=500 * MIB,
        is_tied=False,
        vocabulary=128_000,
        embedding=4096,
        heads=32,
        feed_forward=14336,
        window=0,
        trained_context=131_072,
    )


# About 8B at four bits, 70B at four bits, and a mixture of 120B of which 5B compute.
SMALL = shape(layers=32, weights=130)
LARGE = shape(layers=80, weights=500)
MIXTURE = shape(layers=36, weights=1700, experts=1600)
# Main memory and cards in GiB.
MACHINES: list[tuple[int, tuple[int, ...]]] = [
    (8, ()), (16, ()), (32, ()), (64, ()), (128, ()), (256, ()),
    (16, (4,)), (16, (6,)), (16, (8,)), (32, (8,)), (32, (12,)), (64, (16,)), (64, (24,)), (128, (24,)), (96, (32,)),
    (64, (8, 8)), (128, (24, 24)), (128, (24, 12)), (256, (80,)), (512, (80, 80, 80, 80)),
]  # fmt: skip


def spec(**changes: Any) -> LoadSpec:
    return changed_spec(LoadSpec(name="model", path="", loader="llama.cpp", context=0), **changes)


def found(model: ModelShape, host: int, gpus: tuple[int, ...], **changes: Any) -> Fit:
    loading = spec(**changes)
    options = read_options(LlamaCppOptions, loading)
    return fit(model, loading, options, host=host * GIB, gpus=[card * GIB for card in gpus])


def takes(model: ModelShape, chosen: Fit, gpus: tuple[int, ...]) -> tuple[float, tuple[float, ...]]:
    """GiB of main memory and of each card."""
    loading = spec(**chosen.options, context=chosen.context)
    needed = estimate_shape(model, loading, read_options(LlamaCppOptions, loading), [card * GIB for card in gpus])
    return needed.host / GIB, tuple(card / GIB for card in needed.gpus)


@pytest.mark.parametrize(("host", "gpus"), MACHINES, ids=str)
@pytest.mark.parametrize("model", [SMALL, LARGE, MIXTURE], ids=["small", "large", "mixture"])
def test_what_is_chosen_fits_where_anything_does(model: ModelShape, host: int, gpus: tuple[int, ...]) -> None:
    chosen = found(model, host, gpus)
    main, cards = takes(model, chosen, gpus)
    if not chosen.fits:
        assert chosen.context == model.trained_context
        assert chosen.gpu_layers == -1
        smallest = Fit(2048, 0, 0, 0, is_whole=False, fits=True)
        weights = model.weights / GIB
        assert takes(model, smallest, gpus)[0] > host or weights > host + sum(gpus) - len(gpus)
        return
    assert main <= host
    # Half a GiB of each card stays free.
    assert all(taken <= card - 0.5 for taken, card in zip(cards, gpus, strict=True))


@pytest.mark.parametrize(("host", "gpus"), MACHINES, ids=str)
def test_a_small_model_fits_everywhere(host: int, gpus: tuple[int, ...]) -> None:
    assert found(SMALL, host, gpus).fits


def test_the_context_gives_way_first() -> None:
    chosen = found(SMALL, 64, (12,))
    assert 8192 <= chosen.context < 131_072
    assert (chosen.gpu_layers, chosen.n_cpu_moe) == (-1, 0)
    longer = Fit(chosen.context + 1024, -1, 0, -1, is_whole=False, fits=True)
    assert takes(SMALL, longer, (12,))[1][0] > 11.5


def test_experts_give_way_before_layers() -> None:
    chosen = found(MIXTURE, 128, (24,))
    assert 0 < chosen.n_cpu_moe < 36
    assert chosen.gpu_layers == -1
    assert chosen.context == 8192
    less = Fit(8192, -1, chosen.n_cpu_moe - 1, -1, is_whole=False, fits=True)
    assert takes(MIXTURE, less, (24,))[1][0] > 23.5


def test_layers_of_a_dense_model_give_way() -> None:
    chosen = found(LARGE, 64, (24,))
    assert 0 < chosen.gpu_layers < 81
    assert chosen.n_cpu_moe == 0


def test_what_is_stated_stays() -> None:
    chosen = found(LARGE, 64, (24,), context=32_768, gpu_layers=10)
    assert (chosen.context, chosen.gpu_layers) == (32_768, 10)
    chosen = found(MIXTURE, 128, (24,), n_cpu_moe=36, context=4096)
    assert (chosen.context, chosen.n_cpu_moe) == (4096, 36)


def test_a_model_that_fits_is_left_alone() -> None:
    chosen = found(SMALL, 256, (80,))
    assert chosen.is_whole
    assert (chosen.context, chosen.gpu_layers, chosen.idle_cells) == (131_072, -1, -1)
    assert described(chosen, layers=32) == ""


def test_cards_of_unknown_size_are_left_alone() -> None:
    assert found(SMALL, 256, (0,)).is_whole


def test_the_choice_is_told_in_a_line() -> None:
    chosen = found(LARGE, 64, (24,))
    assert described(chosen, layers=80) == f"8192 tokens of context, {chosen.gpu_layers} of 80 layers on the GPU"
    chosen = found(MIXTURE, 128, (24,))
    assert described(chosen, layers=36) == (
        f"8192 tokens of context, the experts of {chosen.n_cpu_moe} layers on the CPU"
    )
