"""Every field of a form with values of every wrong type: each is refused by its name, or is what its kind of field may hold.

The file is empty, so that a request whose fields are taken is refused for its file, and nothing is decoded.
"""

import logging
from collections.abc import Mapping
from typing import Final

import pytest

from extensions.openai.transcriptions.schema import TranscriptionFields, TranslationFields
from tests.api.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES: Final[Mapping[str, type[TranslationFields]]] = {
    "transcriptions": TranscriptionFields,
    "translations": TranslationFields,
}
WORDS: Final = frozenset({"true", "maybe", "日本", "\0"})
NUMBERS: Final = frozenset({"-1", "0", "1.5", "1e400", "nan", "9" * 5000})
# Too long for any field but the name of a model.
LONG: Final = "x" * 70_000
OBJECTS: Final = frozenset({"{}", '{"a": 1}', "{"})
LISTS: Final = frozenset({"[1]", "[[]]", '["a", 1]', "["})
VALUES: Final = WORDS | NUMBERS | OBJECTS | LISTS | {LONG, "[]"}
TEXTS: Final = VALUES - {LONG}
# What each field takes of them; the rest is refused.
TAKEN: Final[Mapping[str, frozenset[str]]] = {
    "model": VALUES,
    "prompt": TEXTS,
    "hotwords": TEXTS,
    "keywords": (WORDS | NUMBERS | OBJECTS | {"[]"}) - {"9" * 5000},
    "language": frozenset(),
    "languages": frozenset({"[]"}),
    "response_format": frozenset(),
    "temperature": frozenset({"0"}),
    "stream": frozenset({"true", "0"}),
    "vad_filter": frozenset({"true", "0"}),
    "without_timestamps": frozenset({"true", "0"}),
    "chunking_strategy": frozenset(),
    "timestamp_granularities": frozenset({"[]"}),
    "include": frozenset({"[]"}),
    "known_speaker_names": frozenset(),
    "known_speaker_references": frozenset(),
    "keep_alive": frozenset({"-1", "0", "1.5"}),
}
CASES: Final = [(route, field) for route, kind in ROUTES.items() for field in kind.model_fields]


async def refused_for(api: Served, route: str, fields: Mapping[str, object], **files: tuple[str, bytes]) -> str:
    """The name that the refusal has."""
    files = {"file": ("a.wav", b""), **files}
    answer = await api.http.post(f"/v1/audio/{route}", files=files, data=fields)
    assert answer.status_code == 400, (fields, answer.text)
    error = answer.json()["error"]
    assert error["message"]
    assert error["type"] == "invalid_request_error"
    # `languages[0]` and `chunking_strategy.type` are of their fields.
    return str(error["param"]).partition("[")[0].partition(".")[0]


@pytest.mark.parametrize(("route", "field"), CASES)
async def test_a_value_of_a_wrong_type_is_refused_by_name(
    api: Served, caplog: pytest.LogCaptureFixture, route: str, field: str
) -> None:
    refusals = {value: await refused_for(api, route, {field: value}) for value in VALUES}
    assert {value for value, name in refusals.items() if name == "file"} == TAKEN[field]
    assert set(refusals.values()) <= {"file", field}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(("route", "field"), CASES)
async def test_a_field_that_is_an_object_or_a_file_is_refused_by_name(api: Served, route: str, field: str) -> None:
    assert await refused_for(api, route, {f"{field}[a]": "x"}) == field
    assert await refused_for(api, route, {}, **{field: ("a.txt", b"x")}) == field
    # The last of several is meant, as in forms of HTML.
    several = await refused_for(api, route, {field: ["maybe", LONG]})
    assert several == ("file" if field == "model" else field)


@pytest.mark.parametrize(("route", "field"), CASES)
@pytest.mark.parametrize("value", ["", "null", "undefined"])
async def test_what_is_null_is_no_field(api: Served, route: str, field: str, value: str) -> None:
    assert await refused_for(api, route, {field: value}) == "file"


@pytest.mark.parametrize("name", ["", "[]", "[a]", "temperature[", "temperature]", "temperature[a][b]", "x" * 500])
async def test_names_that_no_field_has_are_no_errors(api: Served, name: str) -> None:
    assert await refused_for(api, "transcriptions", {name: "x"}) == "file"
