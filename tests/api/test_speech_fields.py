"""Every field of a request for speech with values of every JSON type: each is refused by its name, or is taken.

The input has no words, so that a request whose fields are taken is refused for it, and no model is needed.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

import pytest

from extensions.openai.speech.schema import SpeechCreateRequest
from tests.api.serving import Served

PATH: Final = "/v1/audio/speech"
# By the names that the table below calls them.
VALUES: Final[Mapping[str, object]] = {
    "null": None,
    "true": True,
    "zero": 0,
    "half": 0.5,
    "negative": -1,
    "huge": 1e300,
    "empty": "",
    "word": "maybe",
    "long": "x" * 70_000,
    "list": ["a"],
    "empty list": [],
    "object": {"a": 1},
    "nested": {"id": {"id": [1]}},
    "id": {"id": "alloy"},
}
NUMBERS: Final = frozenset({"zero", "half", "negative", "huge"})
TEXTS: Final = frozenset({"empty", "word"})
# What each field takes besides null; the rest is refused.
TAKEN: Final[Mapping[str, frozenset[str]]] = {
    "model": TEXTS | {"long"},
    "voice": TEXTS | {"id"},
    "response_format": frozenset({"empty"}),
    "output_format": frozenset({"empty"}),
    "speed": frozenset({"half"}),
    "stream_format": frozenset({"empty"}),
    # What clients send for off is off.
    "stream": frozenset({"true", "zero", "negative"}),
    "instructions": frozenset(VALUES),
    "lang_code": TEXTS,
    "sample_rate": frozenset(),
    "volume_multiplier": frozenset({"zero", "half"}),
    # Of its fields only one is ours, and an empty list is PHP's empty object.
    "normalization_options": frozenset({"object", "nested", "id", "empty list"}),
    "keep_alive": NUMBERS,
    "ttl": NUMBERS,
}
FIELDS: Final = [name for name in SpeechCreateRequest.model_fields if name != "input"]


async def refused_for(api: Served, fields: Mapping[str, object]) -> str:
    answer = await api.post(PATH, {"input": " ", **fields})
    assert answer.status_code == 400, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["message"]
    assert error["type"] == "invalid_request_error"
    return str(error["param"]).partition("[")[0].partition(".")[0]


@pytest.mark.parametrize("field", FIELDS)
async def test_a_value_of_a_wrong_type_is_refused_by_name(
    api: Served, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    refusals = {name: await refused_for(api, {field: value}) for name, value in VALUES.items()}
    assert {name for name, param in refusals.items() if param == "input"} == TAKEN[field] | {"null"}
    assert set(refusals.values()) <= {"input", field}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("value", [None, True, 1, [], ["Hello."], {"text": "Hello."}, "", " \n"])
async def test_an_input_that_is_no_text_is_refused(api: Served, value: object) -> None:
    assert await refused_for(api, {"input": value}) == "input"
