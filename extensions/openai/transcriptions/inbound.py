"""Form → our request; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from extensions.openai.common.forms import FormBody
from extensions.openai.transcriptions.schema import LIST_FIELDS, TranscriptionFields, TranslationFields
from modules.backends.transcription import VoiceActivity
from modules.errors import BadRequest
from modules.media.transcription.languages import language_code
from modules.media.transcription.service import TranscriptionRequest

F = TypeVar("F", bound=TranslationFields)
_STREAMED: Final = frozenset({"json", "text"})
_NULLS: Final = ("null", "undefined")
_FREE_TEXT: Final = frozenset({"hotwords", "keywords", "model", "prompt"})


@dataclass(frozen=True, slots=True)
class WantedAnswer:
    """What the caller wants to see of a transcription."""

    form: str
    translates: bool = False
    streams: bool = False
    segments: bool = True
    words: bool = False
    logprobs: bool = False
    languages: bool = False


def fields_of(form: FormBody, kind: type[F]) -> F:
    """Raises BadRequest, and RequestValidationError as for a JSON body."""
    file_among_text = next((name for name in kind.model_fields if name in form.files), None)
    if file_among_text is not None:
        raise BadRequest(
            f"'{file_among_text}' is a file, where text belongs.", param=file_among_text, code="invalid_value"
        )
    try:
        return kind.model_validate(_without_nulls(form.text_fields(lists=LIST_FIELDS)))
    except ValidationError as failure:
        raise RequestValidationError(failure.errors()) from None


def _without_nulls(fields: dict[str, object]) -> dict[str, object]:
    """Forms of browsers write null as a word, which is none of a value where any text may stand."""
    nulls = (*_NULLS, *([word] for word in _NULLS))
    return {name: value for name, value in fields.items() if name in _FREE_TEXT or value not in nulls}


def transcription_request(form: FormBody, fields: TranscriptionFields) -> TranscriptionRequest:
    """Raises BadRequest."""
    return TranscriptionRequest(
        file=form.one_file("file"),
        model=fields.model,
        language=language_code(fields.language),
        languages=_codes(fields.languages),
        prompt=fields.prompt,
        hotwords=", ".join(filter(None, [fields.hotwords, *fields.keywords])),
        temperature=fields.temperature,
        words="word" in fields.timestamp_granularities or "logprobs" in fields.include,
        timestamps=not fields.without_timestamps,
        voice=_voice(fields),
        keep_alive=fields.keep_alive,
    )


def translation_request(form: FormBody, fields: TranslationFields) -> TranscriptionRequest:
    """Raises BadRequest."""
    return TranscriptionRequest(
        file=form.one_file("file"),
        model=fields.model,
        translates=True,
        prompt=fields.prompt,
        hotwords=fields.hotwords,
        temperature=fields.temperature,
        words="word" in fields.timestamp_granularities,
        timestamps=not fields.without_timestamps,
        voice=_voice(fields),
        keep_alive=fields.keep_alive,
    )


def wanted_answer(fields: TranslationFields) -> WantedAnswer:
    """Raises BadRequest for what the fields ask for and no answer can hold."""
    form, granularities = fields.response_format, fields.timestamp_granularities
    if form == "diarized_json":
        raise _refused("diarized_json is not available: speakers are not told apart.", "response_format")
    if granularities and form != "verbose_json":
        raise _refused("timestamp_granularities need response_format verbose_json.", "timestamp_granularities")
    if fields.stream and form not in _STREAMED:
        raise _refused(f"stream needs response_format json or text, not {form}.", "stream")
    wanted = WantedAnswer(
        form=form,
        translates=not isinstance(fields, TranscriptionFields),
        streams=bool(fields.stream),
        segments="segment" in granularities or not granularities,
        words="word" in granularities,
    )
    return _with_extras(wanted, fields) if isinstance(fields, TranscriptionFields) else wanted


def _with_extras(wanted: WantedAnswer, fields: TranscriptionFields) -> WantedAnswer:
    for name in ("known_speaker_names", "known_speaker_references"):
        if getattr(fields, name):
            raise _refused("Speakers are not told apart. Leave the known speakers out.", name)
    if fields.include and fields.response_format != "json":
        raise _refused("include logprobs needs response_format json.", "include")
    return WantedAnswer(
        form=wanted.form,
        streams=wanted.streams,
        segments=wanted.segments,
        words=wanted.words,
        logprobs=bool(fields.include),
        languages=bool(fields.languages),
    )


def _codes(languages: Iterable[str]) -> tuple[str, ...]:
    codes = [language_code(language, param="languages") for language in languages]
    return tuple(dict.fromkeys(filter(None, codes)))


def _voice(fields: TranslationFields) -> VoiceActivity | None:
    strategy = fields.chunking_strategy
    if strategy is not None:
        return VoiceActivity(strategy.threshold, strategy.silence_duration_ms, strategy.prefix_padding_ms)
    return VoiceActivity() if fields.vad_filter else None


def _refused(message: str, param: str) -> BadRequest:
    return BadRequest(message, param=param, code="invalid_value")
