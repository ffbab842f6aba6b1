"""Which voices a request means: names, mixes of several, and OpenAI's names for all."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from modules.backends.speaking.spec import Voices
from modules.errors import BadRequest

# Each name with the voices of Kokoro that come closest, the closest first.
OPENAI_VOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "alloy": ("af_alloy", "af_kore"),
        "ash": ("am_michael", "am_eric"),
        "ballad": ("bm_george", "bm_lewis"),
        "coral": ("af_bella", "af_aoede"),
        "echo": ("am_echo", "am_adam"),
        "fable": ("bm_fable", "bm_daniel"),
        "onyx": ("am_onyx", "am_liam"),
        "nova": ("af_nova", "af_river"),
        "sage": ("af_sarah", "bf_emma"),
        "shimmer": ("af_sky", "af_nicole"),
        "verse": ("am_puck", "am_santa"),
        "marin": ("af_heart", "bf_isabella"),
        "cedar": ("am_fenrir", "bm_lewis"),
    }
)
_PART: Final = re.compile(r"([^()+]+?)\s*(?:\(\s*([0-9.]{1,12})\s*\))?")
_MOST_MIXED: Final = 16
_SHOWN: Final = 100

Mix = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """A model by the name that requests know it by, the default one `is_default`."""

    name: str
    voices: Voices
    is_default: bool = False


def chosen_voice(models: Sequence[SpeechModel], voice: str | None) -> tuple[SpeechModel, Mix]:
    """The first of `models` that has the voice, with its names and weights. Raises BadRequest that lists what there is."""
    asked = (voice or "").strip()
    if not asked:
        return models[0], ((models[0].voices.names[0], 1.0),)
    for model in models:
        if mix := _mix_of(model.voices, asked):
            return model, mix
    if near := OPENAI_VOICES.get(asked.lower()):
        model = next((model for model in models if set(near) & set(model.voices.names)), models[0])
        return model, ((_like_openai(model.voices.names, asked.lower()), 1.0),)
    raise BadRequest(f"The voice {asked[:60]!a} is unknown. {_advice(models)}", param="voice")


def _mix_of(voices: Voices, asked: str) -> Mix:
    """Nothing where it is none of theirs. Raises BadRequest for a mix that cannot be made."""
    known = {name.lower(): name for name in voices.names}
    if asked.lower() in known:
        return ((known[asked.lower()], 1.0),)
    if not voices.can_mix:
        return ()
    matches = [_PART.fullmatch(part.strip()) for part in asked.split("+")]
    if len(matches) > _MOST_MIXED:
        raise BadRequest(f"A mix can have {_MOST_MIXED} voices at most.", param="voice")
    mix = []
    for match in matches:
        name = known.get(match.group(1).lower()) if match else None
        if match is None or name is None:
            return ()
        mix.append((name, _weight(match.group(2))))
    return tuple(mix)


def _weight(text: str | None) -> float:
    if text is None:
        return 1.0
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 < weight <= 1000:
        raise BadRequest("The weight of a voice must be a number above 0, as in af_bella(2)+af_sky.", param="voice")
    return weight


def _like_openai(names: Sequence[str], asked: str) -> str:
    """Of voices that are none of those, each name has its own as far as they go."""
    wanted = OPENAI_VOICES[asked]
    near = next((name for name in wanted if name in names), None)
    return near or names[list(OPENAI_VOICES).index(asked) % len(names)]


def _advice(models: Sequence[SpeechModel]) -> str:
    names = [name for model in models for name in model.voices.names]
    more = f" and {len(names) - _SHOWN} more (GET /v1/audio/voices)" if len(names) > _SHOWN else ""
    return f"Choose one of: {', '.join(names[:_SHOWN])}{more}; or one of OpenAI's: {', '.join(OPENAI_VOICES)}."
