"""Pictures, sounds and files of all APIs → parts of messages. Pure; BadRequest names the place."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from modules.errors import BadRequest
from modules.messages import AudioPart, FilePart, ImagePart, Part, TextPart
from modules.requests import MARKER

# Types of content parts that are none of text.
PICTURE_TYPES: Final = frozenset({"image_url", "image", "input_image", "computer_screenshot"})
SOUND_TYPES: Final = frozenset({"input_audio", "audio_url", "audio"})
FILE_TYPES: Final = frozenset({"file", "input_file"})
VIDEO_TYPES: Final = frozenset({"video_url", "input_video", "video"})
MEDIA_TYPES: Final = PICTURE_TYPES | SOUND_TYPES | FILE_TYPES | VIDEO_TYPES
_SNIFFED: Final = 64


def media_part(kind: str, fields: Mapping[str, Any], path: str) -> Part:
    """The part of type `kind`, one of MEDIA_TYPES, at `path`; `fields` are all of its fields."""
    if kind in VIDEO_TYPES:
        raise BadRequest(
            f"{path} is a video, which cannot be read here. Send pictures of it.", param=f"{path}.type", code=_CODE
        )
    if kind in FILE_TYPES:
        return file_part(fields.get("file") if kind == "file" else fields, path)
    if kind in SOUND_TYPES:
        return sound_part(_first(fields, "input_audio", "audio_url", "audio"), f"{path}.{kind}")
    if isinstance(fields.get("source"), Mapping):
        return source_part(fields["source"], f"{path}.source")
    if fields.get("file_id") and not _first(fields, "image_url", "image"):
        raise _no_files(f"{path}.file_id")
    return picture_part(_first(fields, "image_url", "image"), fields.get("detail"), f"{path}.{_name(kind)}")


def picture_part(value: object, detail: object, path: str) -> ImagePart:
    """`value` is an address or data URL, or an object with one as `url`."""
    if isinstance(value, Mapping):
        detail = value.get("detail", detail)
        value = _first(value, "url", "image_url", "data")
    return ImagePart(_source(value, path), str(detail or "auto"), param=path)


def sound_part(value: object, path: str) -> AudioPart:
    """`value` is an object with base64 as `data`, an address or data URL as `url`, or such a text."""
    form = ""
    if isinstance(value, Mapping):
        form = str(value.get("format") or "")
        value = _first(value, "data", "url")
    return AudioPart(_source(value, path), form, param=path)


def file_part(fields: object, path: str) -> FilePart:
    """`fields` has `file_data` or `file_url`, and perhaps a `filename`."""
    if not isinstance(fields, Mapping):
        raise BadRequest(f"{path}.file is missing.", param=f"{path}.file")
    source = _first(fields, "file_data", "file_url")
    if source is None and fields.get("file_id"):
        raise _no_files(f"{path}.file_id")
    name = str(fields.get("filename") or str(fields.get("file_url") or "").partition("?")[0] or "file")
    return FilePart(_source(source, f"{path}.file_data"), name, param=f"{path}.file_data")


def source_part(source: Mapping[str, Any], path: str) -> ImagePart:
    """A picture as Anthropic's API has it."""
    match source.get("type"):
        case "base64":
            data = _source(source.get("data"), f"{path}.data")
            return ImagePart(f"data:{source.get('media_type') or ''};base64,{data}", param=f"{path}.data")
        case "url":
            return ImagePart(_source(source.get("url"), f"{path}.url"), param=f"{path}.url")
        case "file":
            raise _no_files(f"{path}.file_id")
    raise BadRequest(f"{path}.type must be base64 or url.", param=f"{path}.type")


def joined_parts(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Texts that follow each other are one, in lines of their own."""
    joined: list[Part] = []
    for is_text, run in groupby(parts, lambda part: isinstance(part, TextPart)):
        if is_text:
            joined.append(TextPart("\n".join(part.text for part in run if isinstance(part, TextPart) and part.text)))
        else:
            joined += run
    return tuple(joined)


def with_marked_places(parts: Sequence[Part]) -> tuple[Part, ...]:
    """A message's parts with its pictures at its markers, where it has exactly as many; else a marker is text."""
    media = [part for part in parts if not isinstance(part, TextPart)]
    markers = sum(part.text.count(MARKER) for part in parts if isinstance(part, TextPart))
    if not markers or markers != len(media):
        return tuple(parts)
    rest = iter(media)
    placed: list[Part] = []
    for part in parts:
        if isinstance(part, TextPart):
            first, *others = part.text.split(MARKER)
            placed.append(TextPart(first))
            for text in others:
                placed += (next(rest), TextPart(text))
    return tuple(part for part in placed if part != TextPart(""))


def placed_at_markers(messages: Sequence[Sequence[Part]], *, param: str) -> tuple[Part, ...]:
    """The parts of all messages in one row: the k-th picture or sound at the k-th marker, those that there is no marker
    for in front of their message's text. Raises BadRequest for more markers than pictures."""
    media = [part for parts in messages for part in parts if not isinstance(part, TextPart)]
    texts = ["".join(part.text for part in parts if isinstance(part, TextPart)) for parts in messages]
    markers = sum(text.count(MARKER) for text in texts)
    if markers > len(media):
        raise BadRequest(
            f"There are {markers} markers {MARKER} and {len(media)} pictures and sounds; each marker needs one.",
            param=param,
        )
    marked, placed, seen = iter(media[:markers]), list[Part](), 0
    for parts, text in zip(messages, texts, strict=True):
        own = [part for part in parts if not isinstance(part, TextPart)]
        placed += own[max(0, markers - seen) :]
        seen += len(own)
        first, *others = text.split(MARKER)
        placed.append(TextPart(first))
        for other in others:
            placed += (next(marked), TextPart(other))
    return tuple(part for part in placed if part != TextPart(""))


def raw_media(data: str, path: str) -> ImagePart | AudioPart:
    """A picture or a sound, whatever the base64 `data` begins as."""
    head = data.partition(",")[2] if data.startswith("data:") else data
    try:
        start = base64.b64decode(head[:_SNIFFED] + "=" * (-len(head[:_SNIFFED]) % 4))
    except (binascii.Error, ValueError):
        start = b""
    is_wave = start[:4] == b"RIFF" and start[8:12] == b"WAVE"
    if is_wave or start.startswith((b"ID3", b"fLaC", b"OggS", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")):
        return AudioPart(data, param=path)
    return ImagePart(data, param=path)


_CODE: Final = "not_supported"


def _source(value: object, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{path} is missing: it is a data URL, base64, or an address.", param=path)
    return value


def _no_files(path: str) -> BadRequest:
    return BadRequest(
        f"{path}: this server keeps no files. Send the file itself, as base64 or a data URL.", param=path, code=_CODE
    )


def _first(fields: Mapping[str, Any], *names: str) -> Any:  # noqa: ANN401 - any JSON
    return next((value for name in names if (value := fields.get(name)) is not None), None)


def _name(kind: str) -> str:
    return "image" if kind == "image" else "image_url"
