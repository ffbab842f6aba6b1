"""The bodies of the speech endpoints."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field

from extensions.openai.common.field_types import Name, RequestModel, Seconds, Switch

MAX_CHARACTERS: Final = 65_536
FORMATS: Final = ("mp3", "opus", "aac", "flac", "wav", "pcm")
_SPELLINGS: Final[Mapping[str, str]] = MappingProxyType({"ogg": "opus", "mpeg": "mp3", "wave": "wav", "": "mp3"})


def _as_format(value: object) -> object:
    if not isinstance(value, str):
        return value
    name = value.strip().lower().removeprefix("audio/")
    return _SPELLINGS.get(name, name)


def _as_voice(value: object) -> object:
    """An object with the id, as OpenAI's custom voices are named."""
    return value.get("id") if isinstance(value, dict) and ("id" in value or not value) else value


def _as_stream_format(value: object) -> object:
    return (value.strip().lower() or "audio") if isinstance(value, str) else value


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("it must be a number, not true or false")
    return value


FormatName = Annotated[Literal["mp3", "opus", "aac", "flac", "wav", "pcm"], BeforeValidator(_as_format)]


class NormalizationOptions(RequestModel):
    """As Kokoro-FastAPI has them; the other ones are left to espeak-ng, which reads numbers and signs in any case."""

    normalize: Switch = Field(None, description="False speaks the input as it is, Markdown and addresses too.")


class SpeechCreateRequest(RequestModel):
    """The body of a request for speech."""

    _object_fields: ClassVar[frozenset[str]] = frozenset(("normalization_options",))

    input: str = Field(max_length=MAX_CHARACTERS, description="The text. Markdown, code and emoji are not spoken.")
    model: Name = Field(None, description="A speech model, kokoro or piper; any other name means the default one.")
    voice: Annotated[str | None, Field(max_length=1000), BeforeValidator(_as_voice)] = Field(
        None, description="One of /v1/audio/voices, one of OpenAI's, or a mix such as af_bella(2)+af_sky."
    )
    response_format: FormatName | None = Field(None, description="mp3, opus, aac, flac, wav or pcm.")
    output_format: FormatName | None = Field(None, description="The same as response_format.")
    speed: Annotated[float, Field(ge=0.25, le=4), BeforeValidator(_refuse_bool)] | None = Field(
        None, description="From 0.25 to 4."
    )
    stream_format: Annotated[Literal["audio", "sse"], BeforeValidator(_as_stream_format)] | None = Field(
        None, description="sse sends the sound as events."
    )
    stream: Switch = Field(
        None, description="False answers with the whole sound at once, with its length in its header."
    )
    instructions: Any = Field(None, description="Taken and named in X-Ignored-Parameters: no model here follows any.")
    lang_code: Annotated[str | None, Field(max_length=32)] = Field(
        None, description="The language of the text, as en-gb or Kokoro's letter; else that of the voice."
    )
    sample_rate: Annotated[int, Field(ge=8000, le=48_000), BeforeValidator(_refuse_bool)] | None = Field(
        None, description="Of wav, flac and pcm; 24000 if it is not given."
    )
    volume_multiplier: Annotated[float, Field(ge=0, le=10), BeforeValidator(_refuse_bool)] | None = Field(
        None, description="Multiplies the samples."
    )
    normalization_options: NormalizationOptions | None = Field(None, description="As Kokoro-FastAPI has them.")
    keep_alive: Seconds | None = Field(None, description="As in a chat.")
    ttl: Seconds | None = Field(None, description="The same as keep_alive.")


class SpeechUsage(BaseModel):
    """`input_tokens` are phonemes that were read, `output_tokens` twentieths of a second that were spoken."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class SpeechAudioDelta(BaseModel):
    type: Literal["speech.audio.delta"] = "speech.audio.delta"
    audio: str


class SpeechAudioDone(BaseModel):
    type: Literal["speech.audio.done"] = "speech.audio.done"
    usage: SpeechUsage


class VoiceEntry(BaseModel):
    id: str
    name: str
    model: str


class VoiceList(BaseModel):
    voices: list[VoiceEntry]


class SpeechModelEntry(BaseModel):
    id: str


class SpeechModelList(BaseModel):
    models: list[SpeechModelEntry]
