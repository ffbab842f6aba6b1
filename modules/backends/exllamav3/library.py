"""Imports exllamav3, whose kernels are compiled: only in a model's own process."""

import exllamav3
from exllamav3.generator.filter import Filter
from exllamav3.generator.sampler import (
    CustomSampler,
    SS_Argmax,
    SS_BanTokens,
    SS_Base,
    SS_LogitBias,
    SS_MinP,
    SS_PresFreqP,
    SS_RepP,
    SS_Sample,
    SS_Temperature,
    SS_TopK,
    SS_TopP,
)
from exllamav3.generator.sampler.sampler import Sampler
from exllamav3.model.lora import LoRA

__all__ = (
    "CustomSampler",
    "Filter",
    "LoRA",
    "SS_Argmax",
    "SS_BanTokens",
    "SS_Base",
    "SS_LogitBias",
    "SS_MinP",
    "SS_PresFreqP",
    "SS_RepP",
    "SS_Sample",
    "SS_Temperature",
    "SS_TopK",
    "SS_TopP",
    "Sampler",
    "exllamav3",
)
