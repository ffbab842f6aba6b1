"""Samplers by the names that image programs have for them: schedulers of the library."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import diffusers

from modules.errors import BadRequest

_SAMPLERS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = MappingProxyType(
    {
        "euler": ("EulerDiscreteScheduler", {}),
        "euler_a": ("EulerAncestralDiscreteScheduler", {}),
        "ddim": ("DDIMScheduler", {}),
        "ddpm": ("DDPMScheduler", {}),
        "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
        "lms": ("LMSDiscreteScheduler", {}),
        "heun": ("HeunDiscreteScheduler", {}),
        "dpm2": ("KDPM2DiscreteScheduler", {}),
        "dpm2_a": ("KDPM2AncestralDiscreteScheduler", {}),
        "dpm++_2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
        "dpm++_2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
        "dpm++_2s": ("DPMSolverSinglestepScheduler", {"algorithm_type": "dpmsolver++"}),
        "unipc": ("UniPCMultistepScheduler", {}),
        "deis": ("DEISMultistepScheduler", {}),
        "lcm": ("LCMScheduler", {}),
    }
)
_NORMAL: Final = "normal"
_SPACINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas"}
)
# Takes every spacing.
_SPACED: Final = "dpm++_2m"
_FLOW: Final = "FlowMatch"


def sampler_names(scheduler: Any) -> tuple[str, ...]:
    """What can stand in for a pipeline's own scheduler, whose name is the first; empty where nothing can."""
    own = type(scheduler).__name__
    if _FLOW in own or not hasattr(scheduler, "compatibles"):
        return ()
    fitting = {kind.__name__ for kind in scheduler.compatibles} | {own}
    names = [name for name, (kind, _) in _SAMPLERS.items() if kind in fitting]
    first = _own_name(scheduler)
    return tuple(dict.fromkeys((first, *names))) if first else ()


def scheduler_names(samplers: tuple[str, ...]) -> tuple[str, ...]:
    """How the steps can be spaced."""
    return (_NORMAL, *_SPACINGS) if samplers else ()


def made_scheduler(own: Any, sampler: str, spacing: str) -> Any:
    """`own`, new, where nothing else is wanted. Raises BadRequest for a pair that does not go together."""
    field = _SPACINGS.get(spacing)
    if not sampler and field is None:
        return type(own).from_config(own.config)
    if not sampler:
        sampler = _own_name(own) if field in _fields(type(own)) else _SPACED
    name, arguments = _SAMPLERS[sampler]
    kind = getattr(diffusers, name)
    known = _fields(kind)
    if field and field not in known:
        raise BadRequest(
            f"The sampler {sampler} cannot be used with the scheduler {spacing}; {_SPACED} can.", param="scheduler"
        )
    # What the folder says about the spacing counts only while nothing is chosen.
    chosen = {each: each == field for each in _SPACINGS.values() if each in known} if spacing else {}
    return kind.from_config(own.config, **arguments, **chosen)


def _own_name(scheduler: Any) -> str:
    own = type(scheduler).__name__
    return next((name for name, (kind, _) in _SAMPLERS.items() if kind == own), "")


def _fields(kind: Any) -> frozenset[str]:
    return frozenset(inspect.signature(kind.__init__).parameters)
