"""Commands and programs to copy, with the API's real address and key. Pure."""

import json
import re
import shlex
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from modules.extend.contributions import ServiceState, ServiceStatus
from modules.settings.values import Settings

# The official clients refuse an empty key.
NO_KEY: Final = "not-needed"
ANY_MODEL: Final = "any"
QUESTION: Final = "Name three colours."

_URL: Final = re.compile(r"https?://[^\s/]+")
_MADE_UP_KEY: Final = re.compile(r"\bsk-[\w-]{20,}")
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "[::]"})  # noqa: S104 - read, not listened on


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the API is, as whoever looks at the page can reach it. `address` has no path and is empty while the API
    does not run; `key` is empty where none is asked for; `public` is the address of its tunnel, if there is one."""

    address: str = ""
    key: str = ""
    public: str = ""
    model: str = ANY_MODEL

    @property
    def base_url(self) -> str:
        return f"{self.address}/v1" if self.address else ""


@dataclass(frozen=True, slots=True)
class ApiExample:
    title: str
    language: str
    text: str


def endpoint_of(state: ServiceState, settings: Settings, *, page_host: str, model: str | None) -> Endpoint:
    """`page_host` is how the browser addresses this machine: an API that listens on all its addresses has that one too."""
    if state.status is not ServiceStatus.RUNNING:
        return Endpoint(model=model or ANY_MODEL)
    urls = [match.group() for line in state.announced if (match := _URL.search(line))]
    made_up = (match.group() for line in state.announced if (match := _MADE_UP_KEY.search(line)))
    local = [url for url in urls if _is_local(url, settings)]
    return Endpoint(
        address=_reachable(local[0], page_host) if local else "",
        key=settings.api_key or next(made_up, ""),
        public=next((url for url in urls if url not in local), ""),
        model=model or ANY_MODEL,
    )


def examples_of(endpoint: Endpoint) -> tuple[ApiExample, ...]:
    return (
        ApiExample("curl", "shell", _curl(endpoint, is_streamed=False)),
        ApiExample("curl, streaming", "shell", _curl(endpoint, is_streamed=True)),
        ApiExample("Python", "python", _python(endpoint)),
        ApiExample("Python, streaming", "python", _python_stream(endpoint)),
        ApiExample("Environment", "shell", _environment(endpoint)),
    )


def _curl(endpoint: Endpoint, *, is_streamed: bool) -> str:
    body = {"model": endpoint.model, "messages": [{"role": "user", "content": QUESTION}]}
    words = [f"curl{' -N' if is_streamed else ''} {shlex.quote(f'{endpoint.base_url}/chat/completions')}"]
    words += ["-H 'Content-Type: application/json'"]
    words += [f"-H {shlex.quote(f'Authorization: Bearer {endpoint.key}')}"] if endpoint.key else []
    words += [f"-d {shlex.quote(json.dumps(body | ({'stream': True} if is_streamed else {})))}"]
    return " \\\n  ".join(words)


def _python(endpoint: Endpoint) -> str:
    return f"""{_client(endpoint)}
reply = client.chat.completions.create(
    model={json.dumps(endpoint.model)},
    messages=[{{"role": "user", "content": {json.dumps(QUESTION)}}}],
)
print(reply.choices[0].message.content)
"""


def _python_stream(endpoint: Endpoint) -> str:
    return f"""{_client(endpoint)}
stream = client.chat.completions.create(
    model={json.dumps(endpoint.model)},
    messages=[{{"role": "user", "content": {json.dumps(QUESTION)}}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
"""


def _client(endpoint: Endpoint) -> str:
    return f"""from openai import OpenAI  # pip install openai

client = OpenAI(
    base_url={json.dumps(endpoint.base_url)},
    api_key={json.dumps(endpoint.key or NO_KEY)},
)
"""


def _environment(endpoint: Endpoint) -> str:
    """For programs that read these variables, of OpenAI's and of Anthropic's kind."""
    values = {
        "OPENAI_BASE_URL": endpoint.base_url,
        "OPENAI_API_KEY": endpoint.key or NO_KEY,
        "ANTHROPIC_BASE_URL": endpoint.address,
        "ANTHROPIC_AUTH_TOKEN": endpoint.key or NO_KEY,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _is_local(url: str, settings: Settings) -> bool:
    host = urlsplit(url).hostname or ""
    return host in {*settings.api_addresses, "127.0.0.1", "::1", "localhost"}


def _reachable(url: str, page_host: str) -> str:
    """The address on which others find a server that listens on all addresses."""
    scheme, _, place = url.partition("://")
    host, _, port = place.rpartition(":")
    return f"{scheme}://{page_host}:{port}" if host in _ANY_ADDRESS and page_host else url
