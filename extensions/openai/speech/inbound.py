"""Schema → our request. Pure."""

from typing import Final

from extensions.openai.speech.schema import SpeechCreateRequest
from modules.backends.speaking.questions import SoundFormat
from modules.errors import BadRequest
from modules.media.speech.service import SpeechRequest

# What clients of OpenAI's pcm play it with.
USUAL_RATE: Final = 24_000
_WITH_RATE: Final = frozenset(("wav", "flac", "pcm"))


def speech_request(body: SpeechCreateRequest) -> SpeechRequest:
    """Raises BadRequest."""
    if not body.input.strip():
        raise BadRequest("The input is empty. Send a text to be spoken.", param="input")
    options = body.normalization_options
    return SpeechRequest(
        text=body.input,
        model=body.model,
        voice=body.voice,
        format=_format(body),
        speed=1.0 if body.speed is None else body.speed,
        volume=1.0 if body.volume_multiplier is None else body.volume_multiplier,
        language=(body.lang_code or "").strip().lower().replace("_", "-"),
        is_plain=options is not None and options.normalize is False,
        keep_alive=body.ttl if body.keep_alive is None else body.keep_alive,
    )


def _format(body: SpeechCreateRequest) -> SoundFormat:
    name = body.response_format or body.output_format or "mp3"
    rate = body.sample_rate or USUAL_RATE
    if rate != USUAL_RATE and name not in _WITH_RATE:
        raise BadRequest(
            f"The rate of {name} cannot be chosen. Leave sample_rate out, or ask for wav, flac or pcm.",
            param="sample_rate",
        )
    return SoundFormat(name, rate, body.stream is False and body.stream_format != "sse")


def ignored_fields(body: SpeechCreateRequest) -> list[str]:
    """Those that ask for something no model here can do."""
    return ["instructions"] if body.instructions else []
