"""Every value that the page's menus and `--help` offer: the loader takes it and answers, or refuses it when it probes."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.options import CACHE_TYPES
from modules.engine.types import LoadSpec
from modules.errors import LoadFailed
from modules.models.options import load_spec
from modules.sampling import Sampling
from modules.settings.values import OPTIONS, Settings
from tests.backends.loading import llama_engine
from tests.model_files import SMOLLM2
from tests.streams import asking, whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

FLASH = OPTIONS["flash_attn"].choices
OFFERED = [
    *({"cache_type": name, "flash_attn": flash} for name, flash in itertools.product(CACHE_TYPES, FLASH)),
    *({"split_mode": mode} for mode in OPTIONS["split_mode"].choices),
]


def refusal_of(loader: LlamaCppLoader, spec: LoadSpec) -> str:
    try:
        loader.probe(spec)
    except LoadFailed as refusal:
        return refusal.message
    return ""


@pytest.mark.parametrize("values", OFFERED, ids=lambda values: "-".join(values.values()))
async def test_offered_value_is_loaded_or_refused_by_the_probe(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], values: dict[str, str]
) -> None:
    path = model_file(SMOLLM2)
    settings = Settings.model_validate({"ctx_size": 128, "threads": 1, "parallel": 1, "gpu_layers": 0, **values})
    spec = load_spec(settings, name=path.name, path=str(path), loader="llama.cpp")
    if refusal := refusal_of(llama_cpp, spec):
        named = next(name for name in values if name.replace("_", "-") in refusal)
        assert values[named] in refusal
        return
    async with llama_engine(llama_cpp, spec) as engine:
        said = await whole(engine, asking("12", sampling=Sampling(temperature=0), max_tokens=3, ignore_eos=True))
        assert len(said.tokens) == 3
