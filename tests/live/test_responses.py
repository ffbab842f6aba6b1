"""/v1/responses on a real model, through the official client: forms of replies, chains, and what they cost."""

from typing import Annotated, Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel, Field

from tests.live.server import LiveServer

pytestmark = [pytest.mark.live, pytest.mark.model]


class City(BaseModel):
    """Bounded, so that every reply ends within the tokens that the test allows."""

    name: Annotated[str, Field(max_length=30)]
    inhabitants: Annotated[int, Field(ge=0, le=99_999_999)]


@pytest.fixture
def client(server: LiveServer) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="sk-any", max_retries=0)


def test_a_reply_has_the_form_that_was_asked_for_whole_and_streamed(client: OpenAI) -> None:
    asked: dict[str, Any] = {"model": "x", "input": "Name a city.", "max_output_tokens": 200, "temperature": 0}
    whole = client.responses.parse(**asked, text_format=City)
    assert isinstance(whole.output_parsed, City)
    with client.responses.stream(**asked, text_format=City) as stream:
        assert isinstance(stream.get_final_response().output_parsed, City)


def test_a_form_that_cannot_be_enforced_is_refused_before_a_stream_opens(client: OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as refusal:
            client.responses.create(
                model="x",
                input="hi",
                stream=stream,
                text={"format": {"type": "json_schema", "name": "a", "schema": {"type": "nonsense"}}},
            )
        assert refusal.value.param == "text.format"


def test_a_chain_is_cached_up_to_its_last_turn(client: OpenAI) -> None:
    first = client.responses.create(model="x", input="Name a colour.", max_output_tokens=12, temperature=0)
    second = client.responses.create(
        model="x", input="And another one?", previous_response_id=first.id, max_output_tokens=12, temperature=0
    )
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens_details.cached_tokens >= first.usage.input_tokens


def test_a_reply_that_is_cut_is_incomplete(client: OpenAI) -> None:
    response = client.responses.create(model="x", input="Tell me a long story.", max_output_tokens=4, temperature=0)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.usage is not None
    assert response.usage.output_tokens == 4
