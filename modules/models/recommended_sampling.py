"""The sampling that suits a model: by its files, else its family, else general values."""

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from modules.engine.types import ModelCard
from modules.sampling import Sampling

Values: TypeAlias = dict[str, int | float]

_NEUTRAL: Final = Sampling()
# What makers of models speak of. Whatever one of them leaves out of a recommendation is off, as it is in their own use.
RECOMMENDABLE: Final = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty")
_FILE: Final = "the model's files"
_GENERAL: Final = "general values, as nothing is published for this model"


@dataclass(frozen=True, slots=True)
class RecommendedSampling:
    """A value for each parameter of RECOMMENDABLE; `source` says in words where they come from."""

    values: MappingProxyType[str, int | float]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySampling:
    """What is published for the models whose names match `pattern`, from its beginning on or after a mark. Where a model
    can do both, `plain` are the values without thinking."""

    pattern: str
    source: str
    temperature: float = _NEUTRAL.temperature
    top_p: float = _NEUTRAL.top_p
    top_k: int = _NEUTRAL.top_k
    min_p: float = _NEUTRAL.min_p
    repetition_penalty: float = _NEUTRAL.repetition_penalty
    presence_penalty: float = _NEUTRAL.presence_penalty
    plain: "FamilySampling | None" = None

    def values(self, *, is_thinking: bool) -> Values:
        if self.plain is not None and not is_thinking:
            return self.plain.values(is_thinking=True)
        return {name: getattr(self, name) for name in RECOMMENDABLE}


def _plain(**values: float) -> FamilySampling:
    return FamilySampling(pattern="", source="", **values)  # type: ignore[arg-type]


_QWEN3_PLAIN: Final = _plain(temperature=0.7, top_p=0.8, top_k=20)
# As known in November 2026; but for GLM's, the rows were not compared with their sources when they were written down.
# The first row that matches counts. Sources are model cards on huggingface.co unless they say otherwise.
FAMILIES: Final[tuple[FamilySampling, ...]] = (
    FamilySampling(
        pattern=r"deepseek[-_]r1",
        source="model card of deepseek-ai/DeepSeek-R1",
        temperature=0.6,
        top_p=0.95,
    ),
    FamilySampling(
        pattern=r"qwen3\.[5-9]",
        source="model card of Qwen/Qwen3.5-35B-A3B",
        temperature=1.0,
        top_p=0.95,
        top_k=20,
        presence_penalty=1.5,
        plain=_plain(temperature=0.7, top_p=0.8, top_k=20, presence_penalty=1.5),
    ),
    FamilySampling(
        pattern=r"qwen3[-_ ]?coder",
        source="model card of Qwen/Qwen3-Coder-30B-A3B-Instruct",
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        repetition_penalty=1.05,
    ),
    FamilySampling(
        pattern=r"qwen3[-_ ]?vl.*thinking",
        source="model card of Qwen/Qwen3-VL-8B-Thinking",
        temperature=1.0,
        top_p=0.95,
        top_k=20,
    ),
    FamilySampling(
        pattern=r"qwen3[-_ ]?vl",
        source="model card of Qwen/Qwen3-VL-8B-Instruct",
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        presence_penalty=1.5,
    ),
    FamilySampling(
        pattern=r"qwen3.*instruct",
        source="model card of Qwen/Qwen3-30B-A3B-Instruct-2507",
        temperature=0.7,
        top_p=0.8,
        top_k=20,
    ),
    FamilySampling(
        pattern=r"qwen3.*thinking",
        source="model card of Qwen/Qwen3-30B-A3B-Thinking-2507",
        temperature=0.6,
        top_p=0.95,
        top_k=20,
    ),
    FamilySampling(
        pattern=r"qwen3",
        source="model card of Qwen/Qwen3-8B",
        temperature=0.6,
        top_p=0.95,
        top_k=20,
        plain=_QWEN3_PLAIN,
    ),
    FamilySampling(pattern=r"qwq", source="model card of Qwen/QwQ-32B", temperature=0.6, top_p=0.95, top_k=40),
    FamilySampling(
        pattern=r"qwen2(?:\.5)?",
        source="generation_config.json of Qwen/Qwen2.5-7B-Instruct",
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        repetition_penalty=1.05,
    ),
    FamilySampling(
        pattern=r"deepseek[-_]v3\.2",
        source="model card of deepseek-ai/DeepSeek-V3.2",
        temperature=1.0,
        top_p=0.95,
    ),
    FamilySampling(
        pattern=r"deepseek[-_]v3\.1",
        source="generation_config.json of deepseek-ai/DeepSeek-V3.1",
        temperature=0.6,
        top_p=0.95,
    ),
    FamilySampling(pattern=r"deepseek[-_]v3", source="model card of deepseek-ai/DeepSeek-V3-0324", temperature=0.3),
    FamilySampling(
        pattern=r"hermes[-_]4",
        source="model card of NousResearch/Hermes-4-14B",
        temperature=0.6,
        top_p=0.95,
        top_k=20,
    ),
    FamilySampling(
        pattern=r"(?:meta[-_])?llama[-_]?[34]",
        source="generation_config.json of meta-llama/Llama-3.1-8B-Instruct",
        temperature=0.6,
        top_p=0.9,
    ),
    FamilySampling(
        pattern=r"gemma[-_]?[2-4]",
        source="generation_config.json of google/gemma-3-4b-it",
        temperature=1.0,
        top_p=0.95,
        top_k=64,
    ),
    FamilySampling(
        pattern=r"magistral",
        source="model card of mistralai/Magistral-Small-2509",
        temperature=0.7,
        top_p=0.95,
    ),
    FamilySampling(pattern=r"devstral", source="model card of mistralai/Devstral-Small-2507", temperature=0.15),
    FamilySampling(
        pattern=r"ministral[-_]3.*reasoning",
        source="model card of mistralai/Ministral-3-8B-Reasoning-2512",
        temperature=0.7,
        top_p=0.95,
    ),
    FamilySampling(
        pattern=r"mistral[-_]small|ministral",
        source="model card of mistralai/Mistral-Small-3.2-24B-Instruct-2506",
        temperature=0.15,
    ),
    FamilySampling(
        pattern=r"mistral[-_]nemo",
        source="model card of mistralai/Mistral-Nemo-Instruct-2407",
        temperature=0.3,
    ),
    FamilySampling(
        pattern=r"phi[-_]?4.*reasoning",
        source="model card of microsoft/Phi-4-reasoning",
        temperature=0.8,
        top_p=0.95,
        top_k=50,
    ),
    FamilySampling(
        pattern=r"glm[-_]?(?:4\.[6-9]|5)",
        source="migration guide of docs.z.ai for GLM-4.6",
        temperature=1.0,
        top_p=0.95,
    ),
    FamilySampling(
        pattern=r"glm[-_]?z1", source="model card of zai-org/GLM-Z1-32B-0414", temperature=0.6, top_p=0.95, top_k=40
    ),
    FamilySampling(pattern=r"glm[-_]?4", source="API reference of docs.z.ai for GLM-4.5", temperature=0.6, top_p=0.95),
    FamilySampling(pattern=r"gpt[-_]oss", source="README of github.com/openai/gpt-oss", temperature=1.0, top_p=1.0),
    FamilySampling(pattern=r"smollm3", source="model card of HuggingFaceTB/SmolLM3-3B", temperature=0.6, top_p=0.95),
    FamilySampling(
        pattern=r"smollm", source="model card of HuggingFaceTB/SmolLM2-1.7B-Instruct", temperature=0.2, top_p=0.9
    ),
    FamilySampling(
        pattern=r"lfm2",
        source="model card of LiquidAI/LFM2-1.2B",
        temperature=0.3,
        min_p=0.15,
        repetition_penalty=1.05,
    ),
    FamilySampling(
        pattern=r"kimi[-_]k2\.[5-9]",
        source="model card of moonshotai/Kimi-K2.5",
        temperature=1.0,
        top_p=0.95,
        plain=_plain(temperature=0.6, top_p=0.95),
    ),
    FamilySampling(
        pattern=r"kimi[-_]k2.*thinking", source="model card of moonshotai/Kimi-K2-Thinking", temperature=1.0
    ),
    FamilySampling(pattern=r"kimi[-_]k2", source="model card of moonshotai/Kimi-K2-Instruct", temperature=0.6),
    FamilySampling(
        pattern=r"minimax[-_]m", source="model card of MiniMaxAI/MiniMax-M2", temperature=1.0, top_p=0.95, top_k=40
    ),
    FamilySampling(
        pattern=r"granite",
        source="model card of ibm-granite/granite-4.0-h-tiny, which decodes greedily",
        temperature=0.0,
    ),
    FamilySampling(
        pattern=r"(?:c4ai[-_])?(?:command[-_][ar]|aya)",
        source="model card of CohereLabs/c4ai-command-r7b-12-2024",
        temperature=0.3,
    ),
    FamilySampling(
        pattern=r"hunyuan",
        source="model card of tencent/Hunyuan-7B-Instruct",
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        repetition_penalty=1.05,
    ),
    FamilySampling(pattern=r"exaone", source="model card of LGAI-EXAONE/EXAONE-4.0-32B", temperature=0.6, top_p=0.95),
    FamilySampling(
        pattern=r"olmo[-_]?3", source="model card of allenai/Olmo-3-7B-Instruct", temperature=0.6, top_p=0.95
    ),
    FamilySampling(
        pattern=r"seed[-_]oss", source="model card of ByteDance-Seed/Seed-OSS-36B-Instruct", temperature=1.1, top_p=0.95
    ),
    FamilySampling(
        pattern=r"apertus", source="model card of swiss-ai/Apertus-8B-Instruct-2509", temperature=0.8, top_p=0.9
    ),
)
_GENERAL_VALUES: Final = FamilySampling(pattern="", source=_GENERAL, temperature=0.7, top_p=0.95, top_k=40, min_p=0.05)


def recommended_for(name: str | None, card: ModelCard | None, *, is_thinking: bool = True) -> RecommendedSampling:
    """For the model `name`, of which `card` is what is known. One source says all: values that were published together
    belong together."""
    stated = dict(card.recommended_sampling) if card is not None else {}
    if stated:
        neutral = {each: getattr(_NEUTRAL, each) for each in RECOMMENDABLE}
        return RecommendedSampling(MappingProxyType({**neutral, **stated}), _FILE)
    found = family_of(name) or _GENERAL_VALUES
    return RecommendedSampling(MappingProxyType(found.values(is_thinking=is_thinking)), found.source)


def published_values() -> dict[str, set[int | float]]:
    """Everything that the table has of each parameter."""
    rows = [row.values(is_thinking=thinks) for row in (*FAMILIES, _GENERAL_VALUES) for thinks in (True, False)]
    return {name: {row[name] for row in rows} for name in RECOMMENDABLE}


def family_of(name: str | None) -> FamilySampling | None:
    """By the name of a file, of a folder or of a model elsewhere; whoever converted it may stand before it."""
    base = (name or "").rstrip("/").rpartition("/")[2]
    return next((each for each in FAMILIES if _matches(each.pattern, base)), None)


def _matches(pattern: str, base: str) -> bool:
    return re.search(rf"(?:^|[-_ .])(?:{pattern})", base, re.IGNORECASE) is not None
