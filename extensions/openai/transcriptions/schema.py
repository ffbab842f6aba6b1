"""Fields and answers of OpenAI's transcriptions and translations."""

from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, Field

from extensions.openai.common.field_types import RequestModel

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
LIST_FIELDS: Final = frozenset(
    {"include", "keywords", "known_speaker_names", "known_speaker_references", "languages", "timestamp_granularities"}
)
_MAX_WORDS: Final = 1000


def _one_list(value: object) -> object:
    """Repeated fields, or one field with a JSON list or names between commas."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        text = value[0].strip()
        if text.startswith("["):
            return _from_json(text)
        return [part.strip() for part in text.split(",") if part.strip()]
    return value


def _json_list(value: object) -> object:
    """Like `_one_list`, for texts that may hold commas."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and value[0].lstrip().startswith("["):
        return _from_json(value[0])
    return value


def _from_json(value: object) -> object:
    """An object as JSON text, which some clients send in the place of a field for each of its parts."""
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _strategy(value: object) -> object:
    """`auto` is what is done anyway."""
    return None if value == "auto" else _from_json(value)


class ServerVad(RequestModel):
    """What counts as speech."""

    type: Literal["server_vad"]
    threshold: float = Field(0.5, gt=0, lt=1, description="Least probability of speech.")
    silence_duration_ms: int = Field(500, ge=0, le=60_000, description="Silence that ends speech.")
    prefix_padding_ms: int = Field(400, ge=0, le=10_000, description="Silence that is kept around speech.")


class TranslationFields(RequestModel):
    """The fields of a form, besides `file`."""

    model: str | None = Field(None, description="Any name; one of a transcription model on disk chooses it.")
    prompt: str = Field("", max_length=2**16, description="What was said before, or a text in the wanted style.")
    response_format: ResponseFormat = "json"
    temperature: float = Field(
        0, ge=0, le=1, description="0 takes the likeliest text, and samples only where that is bad."
    )
    stream: bool | None = Field(None, description="Send the text as it is found; with json and text.")
    hotwords: str = Field("", max_length=2**16, description="Words that may occur.")
    vad_filter: bool = Field(True, description="Leave out what is no speech.")
    without_timestamps: bool = Field(False, description="Do not look for times within half a minute.")
    chunking_strategy: Annotated[ServerVad | None, BeforeValidator(_strategy)] = None
    timestamp_granularities: Annotated[list[Literal["word", "segment"]], BeforeValidator(_one_list)] = Field(
        default_factory=list, description="With verbose_json: what to give times of."
    )
    keep_alive: float | None = Field(None, description="Seconds after which the model may be unloaded.")


class TranscriptionFields(TranslationFields):
    """The fields of a form, besides `file`."""

    language: str = Field(
        "", max_length=100, description="A code such as en or en-US, or a name; empty or auto: found out."
    )
    languages: Annotated[list[str], BeforeValidator(_one_list)] = Field(
        default_factory=list, max_length=100, description="Languages that it may be."
    )
    keywords: Annotated[list[Annotated[str, Field(max_length=1000)]], BeforeValidator(_json_list)] = Field(
        default_factory=list, max_length=_MAX_WORDS, description="Words that may occur."
    )
    include: Annotated[list[Literal["logprobs"]], BeforeValidator(_one_list)] = Field(
        default_factory=list, description="With json: logprobs gives the probability of each word."
    )
    known_speaker_names: list[str] = Field(default_factory=list, description="Refused: speakers are not told apart.")
    known_speaker_references: list[str] = Field(default_factory=list, description="Refused, too.")


class DurationUsage(BaseModel):
    """`seconds` of the recording, rounded up."""

    type: Literal["duration"] = "duration"
    seconds: int


class AudioTokenDetails(BaseModel):
    audio_tokens: int
    text_tokens: int


class TranscriptionTokenUsage(BaseModel):
    """Positions of the encoder, fifty a second, and tokens of the text."""

    type: Literal["tokens"] = "tokens"
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_token_details: AudioTokenDetails


class TranscribedLanguage(BaseModel):
    code: str


class WordLogprob(BaseModel):
    """`token` is a word with its blanks, `logprob` the natural logarithm of its probability."""

    token: str
    bytes: list[int]
    logprob: float


class TranscriptionText(BaseModel):
    """With response_format json."""

    text: str
    languages: list[TranscribedLanguage] | None = None
    logprobs: list[WordLogprob] | None = None
    usage: DurationUsage


class VerboseSegment(BaseModel):
    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseWord(BaseModel):
    word: str
    start: float
    end: float


class VerboseTranscription(BaseModel):
    """With response_format verbose_json; `segments` and `words` are there if they were asked for."""

    task: Literal["transcribe", "translate"]
    language: str
    duration: float
    text: str
    segments: list[VerboseSegment] | None = None
    words: list[VerboseWord] | None = None
    usage: DurationUsage


def form_documentation(fields: type[TranslationFields]) -> dict[str, Any]:
    """For the route's OpenAPI entry: the form is read by hand."""
    schema = fields.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    schema["properties"] = {"file": {"type": "string", "format": "binary"}, **schema["properties"]}
    schema["properties"]["chunking_strategy"] = {
        "type": "string",
        "description": "auto, or server_vad with its fields.",
    }
    schema["required"] = ["file"]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
