"""Which voices a request means."""

import pytest

from modules.backends.speaking.spec import Voices
from modules.errors import BadRequest
from modules.media.speech.voices import OPENAI_VOICES, SpeechModel, chosen_voice

PIPER = SpeechModel("joe.onnx", Voices(("joe", "joe:a"), "piper"))
KOKORO = SpeechModel("kokoro", Voices(("af_heart", "af_alloy", "af_bella", "af_sky"), "kokoro", can_mix=True))


def test_without_a_voice_the_first_of_the_first_model_speaks() -> None:
    assert chosen_voice((PIPER, KOKORO), None) == (PIPER, (("joe", 1.0),))
    assert chosen_voice((KOKORO, PIPER), " ") == (KOKORO, (("af_heart", 1.0),))


def test_a_voice_is_found_in_any_model_in_any_case() -> None:
    assert chosen_voice((PIPER, KOKORO), "AF_Bella") == (KOKORO, (("af_bella", 1.0),))
    assert chosen_voice((KOKORO, PIPER), "joe:a") == (PIPER, (("joe:a", 1.0),))


def test_voices_are_mixed_by_weight() -> None:
    assert chosen_voice((KOKORO,), "af_bella(2) + af_sky")[1] == (("af_bella", 2.0), ("af_sky", 1.0))
    assert chosen_voice((KOKORO,), "af_bella(.5)+af_sky(0.25)")[1] == (("af_bella", 0.5), ("af_sky", 0.25))


def test_openais_names_are_the_nearest_voices() -> None:
    assert chosen_voice((PIPER, KOKORO), "Alloy") == (KOKORO, (("af_alloy", 1.0),))
    assert chosen_voice((PIPER,), "nova")[0] is PIPER
    assert {chosen_voice((KOKORO,), name)[1][0][0] for name in OPENAI_VOICES} == set(KOKORO.voices.names)


@pytest.mark.parametrize("voice", ["x", "af_bella+x", "joe+joe:a", "af_bella(2", "af_bella()", "+", "af_bella(2)(3)"])
def test_other_names_are_refused_with_what_there_is(voice: str) -> None:
    with pytest.raises(BadRequest, match=r"joe, joe:a, af_heart, .* or one of OpenAI's: alloy") as refusal:
        chosen_voice((PIPER, KOKORO), voice)
    assert refusal.value.param == "voice"


@pytest.mark.parametrize("weight", ["0", "1001", "1.2.3", "."])
def test_weights_are_above_nothing(weight: str) -> None:
    with pytest.raises(BadRequest, match="weight"):
        chosen_voice((KOKORO,), f"af_bella({weight})+af_sky")
