"""Segments → bodies and events; pure."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import orjson
from starlette.responses import Response

from extensions.openai.common.answers import finite
from extensions.openai.transcriptions.inbound import WantedAnswer
from extensions.openai.transcriptions.schema import (
    AudioTokenDetails,
    DurationUsage,
    TranscribedLanguage,
    TranscriptionText,
    TranscriptionTokenUsage,
    VerboseSegment,
    VerboseTranscription,
    VerboseWord,
    WordLogprob,
)
from modules.backends.transcription import SpokenSegment, SpokenWord
from modules.media.transcription.languages import language_name
from modules.media.transcription.service import Transcribed, TranscriptionEvent

# Whisper's encoder has so many positions for a second of sound.
_POSITIONS_PER_SECOND: Final = 50
_LEAST_PROBABILITY: Final = 1e-9
_PLAIN: Final = "text/plain"


def joined_text(segments: Sequence[SpokenSegment]) -> str:
    return "".join(segment.text for segment in segments).strip()


def answer(segments: Sequence[SpokenSegment], end: Transcribed, wanted: WantedAnswer) -> Response:
    headers = {"X-Model": _header(end.model)}
    match wanted.form:
        case "text":
            return Response(f"{joined_text(segments)}\n", headers=headers, media_type=_PLAIN)
        case "srt":
            return Response(subrip(segments), headers=headers, media_type=_PLAIN)
        case "vtt":
            return Response(web_vtt(segments), headers=headers, media_type="text/vtt")
        case "verbose_json":
            body = _verbose(segments, end, wanted).model_dump_json(exclude_none=True)
        case _:
            body = _text(segments, end, wanted).model_dump_json(exclude_none=True)
    return Response(body, headers=headers, media_type="application/json")


def subrip(segments: Sequence[SpokenSegment]) -> str:
    """SRT: numbered captions."""
    captions = [
        f"{number}\n{_clock(segment.start, ',')} --> {_clock(segment.end, ',')}\n{_caption(segment)}\n"
        for number, segment in enumerate(segments, 1)
    ]
    return "\n".join(captions)


def web_vtt(segments: Sequence[SpokenSegment]) -> str:
    """WebVTT of W3C."""
    captions = [
        f"{_clock(segment.start, '.')} --> {_clock(segment.end, '.')}\n{_caption(segment, escapes=True)}\n"
        for segment in segments
    ]
    return "\n".join(["WEBVTT\n", *captions])


def _caption(segment: SpokenSegment, *, escapes: bool = False) -> str:
    """Without lines that are empty or look like times, which would end it."""
    text = " ".join(segment.text.split()).replace("-->", "->")
    return text.replace("&", "&amp;").replace("<", "&lt;") if escapes else text


def _clock(seconds: float, point: str) -> str:
    milliseconds = max(0, round(seconds * 1000))
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _text(segments: Sequence[SpokenSegment], end: Transcribed, wanted: WantedAnswer) -> TranscriptionText:
    return TranscriptionText(
        text=joined_text(segments),
        languages=_languages(end) if wanted.languages else None,
        logprobs=_logprobs(word for segment in segments for word in segment.words) if wanted.logprobs else None,
        usage=_duration(end),
    )


def _verbose(segments: Sequence[SpokenSegment], end: Transcribed, wanted: WantedAnswer) -> VerboseTranscription:
    words = [
        VerboseWord(word=word.text.strip(), start=word.start, end=word.end)
        for segment in segments
        for word in segment.words
    ]
    return VerboseTranscription(
        task="translate" if wanted.translates else "transcribe",
        language="english" if wanted.translates else language_name(end.language),
        duration=end.seconds,
        text=joined_text(segments),
        segments=[_segment(number, each) for number, each in enumerate(segments)] if wanted.segments else None,
        words=words if wanted.words else None,
        usage=_duration(end),
    )


def _segment(number: int, segment: SpokenSegment) -> VerboseSegment:
    return VerboseSegment(
        id=number,
        seek=segment.seek,
        start=segment.start,
        end=segment.end,
        text=segment.text,
        tokens=list(segment.tokens),
        temperature=segment.temperature,
        avg_logprob=finite(segment.average_logprob),
        compression_ratio=segment.compression_ratio,
        no_speech_prob=segment.no_speech_probability,
    )


def _logprobs(words: Iterable[SpokenWord], *, is_first: bool = True) -> list[WordLogprob]:
    """With `is_first` the text begins with them, without a blank."""
    texts = [(word.text.lstrip() if is_first and place == 0 else word.text, word) for place, word in enumerate(words)]
    return [
        WordLogprob(token=text, bytes=list(text.encode()), logprob=math.log(max(word.probability, _LEAST_PROBABILITY)))
        for text, word in texts
    ]


def _languages(end: Transcribed) -> list[TranscribedLanguage]:
    return [TranscribedLanguage(code=end.language)] if end.language else []


def _duration(end: Transcribed) -> DurationUsage:
    return DurationUsage(seconds=math.ceil(end.seconds))


def _header(name: str) -> str:
    return name.encode("ascii", "replace").decode()


class TranscriptEncoder:
    """Events of `transcript.text`: deltas that, joined, are the text of the last event. Blanks wait for the text after them."""

    def __init__(self, wanted: WantedAnswer) -> None:
        self._wanted = wanted
        self._text = ""
        self._blanks = ""
        self._tokens = 0
        self._logprobs: list[WordLogprob] = []

    def encode(self, event: TranscriptionEvent) -> bytes:
        return self._done(event) if isinstance(event, Transcribed) else self._delta(event)

    def end(self) -> bytes:
        return b""

    def _delta(self, segment: SpokenSegment) -> bytes:
        logprobs = _logprobs(segment.words, is_first=not self._text) if self._wanted.logprobs else []
        self._logprobs += logprobs
        self._tokens += len(segment.tokens)
        text = self._blanks + segment.text if self._text else segment.text.lstrip()
        delta = text.rstrip()
        self._blanks = text[len(delta) :]
        if not delta:
            return b""
        self._text += delta
        body: dict[str, object] = {"type": "transcript.text.delta", "delta": delta}
        return _event(body | ({"logprobs": [each.model_dump() for each in logprobs]} if self._wanted.logprobs else {}))

    def _done(self, end: Transcribed) -> bytes:
        heard = math.ceil(end.seconds * _POSITIONS_PER_SECOND)
        usage = TranscriptionTokenUsage(
            input_tokens=heard,
            output_tokens=self._tokens,
            total_tokens=heard + self._tokens,
            input_token_details=AudioTokenDetails(audio_tokens=heard, text_tokens=0),
        )
        body: dict[str, object] = {"type": "transcript.text.done", "text": self._text, "usage": usage.model_dump()}
        if self._wanted.logprobs:
            body["logprobs"] = [each.model_dump() for each in self._logprobs]
        if self._wanted.languages:
            body["languages"] = [each.model_dump() for each in _languages(end)]
        return _event(body)


def _event(body: dict[str, object]) -> bytes:
    return f"event: {body['type']}\ndata: ".encode() + orjson.dumps(body) + b"\n\n"
