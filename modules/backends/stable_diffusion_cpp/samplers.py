"""Samplers and schedulers by the names that image programs have for them."""

from collections.abc import Iterable
from enum import IntEnum
from types import MappingProxyType
from typing import Final

_SAMPLERS: Final = MappingProxyType(
    {
        "DPMPP2S_A": "dpm++_2s_a",
        "DPMPP2M": "dpm++_2m",
        "DPMPP2Mv2": "dpm++_2m_v2",
        "DPMPP2M_SDE": "dpm++_2m_sde",
        "DPMPP2M_SDE_BT": "dpm++_2m_sde_bt",
        "DDIM_TRAILING": "ddim",
    }
)
_SCHEDULERS: Final = MappingProxyType({"DISCRETE": "normal"})
# Ends the list of the library.
_END: Final = "COUNT"


def sampler_names(kinds: Iterable[IntEnum], default: int) -> dict[str, int]:
    """Names with the library's numbers, the default first."""
    return _names(kinds, default, _SAMPLERS)


def scheduler_names(kinds: Iterable[IntEnum], default: int) -> dict[str, int]:
    return _names(kinds, default, _SCHEDULERS)


def _names(kinds: Iterable[IntEnum], default: int, spellings: "MappingProxyType[str, str]") -> dict[str, int]:
    found = {spellings.get(kind.name, kind.name.lower()): int(kind) for kind in kinds if kind.name != _END}
    return dict(sorted(found.items(), key=lambda item: item[1] != default))
