"""What litellm gets from the API whose base URL is the first argument, as JSON in its last line. A program of its own, since litellm
changes the process it is imported in."""

import json
import sys

import litellm
from litellm.exceptions import ContextWindowExceededError

BASE_URL = sys.argv[1]
WORDS = json.loads(sys.argv[2])


def asked(provider: str, words: str, **fields: object) -> dict[str, object]:
    messages = [{"role": "user", "content": words}]
    base = BASE_URL.removesuffix("/v1") if provider == "oobabooga" else BASE_URL
    return {"model": f"{provider}/any", "messages": messages, "api_base": base, "api_key": "sk-any", **fields}


def spoken(provider: str, words: str) -> list[object]:
    whole = litellm.completion(**asked(provider, words))
    return [whole.choices[0].message.content, whole.choices[0].finish_reason, whole.usage.completion_tokens]


def streamed(provider: str, words: str) -> str:
    stream = litellm.completion(**asked(provider, words, stream=True))
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def called(**fields: object) -> list[object]:
    reply = litellm.completion(**asked("openai", WORDS["call"], tools=[WORDS["tool"]], **fields))
    calls = reply.choices[0].message.tool_calls
    return [[call.function.name, json.loads(call.function.arguments)] for call in calls]


def refused() -> str:
    try:
        litellm.completion(**asked("openai", "x" * 9000))
    except ContextWindowExceededError as error:
        return type(error).__name__
    return "nothing"


PROVIDERS = ("openai", "oobabooga")
sys.stdout.write(
    "\n"
    + json.dumps(
        {
            "whole": {provider: spoken(provider, "echo: hello") for provider in PROVIDERS},
            "streamed": streamed("openai", "count 5"),
            "called": [called(), called(tool_choice="required")],
            "refused": refused(),
        }
    )
)
