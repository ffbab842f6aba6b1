"""What instructor gets from the API whose base URL is the first argument, as JSON."""

import json
import sys

import instructor  # type: ignore[import-not-found]
from openai import OpenAI
from pydantic import BaseModel


class Forecast(BaseModel):
    """Weather of the coming days."""

    city: str
    days: int


CLIENT = OpenAI(base_url=sys.argv[1], api_key="sk-any", max_retries=0)
WORDS = json.loads(sys.argv[2])


def made(mode: instructor.Mode, words: str) -> dict[str, object]:
    client = instructor.from_openai(CLIENT, mode=mode)
    messages = [{"role": "user", "content": words}]
    forecast: Forecast = client.create(model="any", messages=messages, response_model=Forecast, max_retries=0)
    return forecast.model_dump()


MODES = {
    instructor.Mode.TOOLS: "call",
    instructor.Mode.JSON: "answer",
    instructor.Mode.JSON_SCHEMA: "answer",
    instructor.Mode.MD_JSON: "fenced",
}
sys.stdout.write(json.dumps({mode.value: made(mode, WORDS[words]) for mode, words in MODES.items()}))
