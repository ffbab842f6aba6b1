"""What is copied out of the API panel runs as it stands."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modules.extend.contributions import ServiceState, ServiceStatus
from modules.settings.values import API_EXTENSION, Settings
from modules.ui.session.examples import QUESTION, ApiExample, Endpoint, endpoint_of, examples_of
from tests.ui.open_page import open_page

ODD_KEY = "k\"e'y$HOME`x`\\n!"
RUNNING = ServiceStatus.RUNNING
TITLES = [example.title for example in examples_of(Endpoint())]


def state(*announced: str) -> ServiceState:
    return ServiceState(name=API_EXTENSION, status=RUNNING, announced=announced)


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def run(example: ApiExample) -> "subprocess.CompletedProcess[str]":
    script = f"{example.text}\nenv" if example.title == "Environment" else example.text
    command = [sys.executable, "-c", script] if example.language == "python" else ["bash", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("key", ["", ODD_KEY], ids=["open", "with-key"])
async def test_every_example_runs(tmp_path: Path, key: str) -> None:
    async with open_page(tmp_path, api_key=key) as page:
        running = await page.extensions.services.start(API_EXTENSION)
        assert running.status is RUNNING
        endpoint = endpoint_of(running, page.settings, page_host="127.0.0.1", model=page.runtime.models.state.name)
        assert endpoint.key == key
        examples = examples_of(endpoint)
        for example in examples:
            done = await asyncio.to_thread(run, example)
            assert done.returncode == 0, (example.title, done.stderr)
            if example.title == "Environment":
                assert f"OPENAI_BASE_URL={endpoint.base_url}\n" in done.stdout
                assert f"ANTHROPIC_BASE_URL={endpoint.address}\n" in done.stdout
                assert f"OPENAI_API_KEY={key}\n" in done.stdout or not key
            elif example.title == "curl, streaming":
                assert done.stdout.endswith("data: [DONE]\n\n")
            else:
                assert QUESTION in done.stdout, example.title


async def test_a_wrong_key_would_show(tmp_path: Path) -> None:
    """The runs above would fail if the key did not count."""
    async with open_page(tmp_path, api_key=ODD_KEY) as page:
        running = await page.extensions.services.start(API_EXTENSION)
        endpoint = endpoint_of(running, settings(api_key="another"), page_host="", model=None)
        done = await asyncio.to_thread(run, next(each for each in examples_of(endpoint) if each.title == "Python"))
        assert done.returncode != 0


def test_an_api_that_does_not_run_has_no_address() -> None:
    stopped = ServiceState(name=API_EXTENSION, announced=("OpenAI-compatible API: http://127.0.0.1:5000/v1",))
    assert endpoint_of(stopped, settings(api_key="k"), page_host="", model="m") == Endpoint(model="m")


@pytest.mark.parametrize(
    ("announced", "page_host", "address"),
    [
        ("http://127.0.0.1:5000/v1", "192.168.1.2", "http://127.0.0.1:5000"),
        ("http://0.0.0.0:5000/v1", "192.168.1.2", "http://192.168.1.2:5000"),
        ("https://[::]:5000/v1", "[fe80::1]", "https://[fe80::1]:5000"),
        ("http://0.0.0.0:5000/v1", "", "http://0.0.0.0:5000"),
    ],
)
def test_the_address_is_one_that_the_reader_can_use(announced: str, page_host: str, address: str) -> None:
    found = endpoint_of(
        state(f"OpenAI-compatible API: {announced}"),
        settings(listen=True, api_enable_ipv6=True),
        page_host=page_host,
        model=None,
    )
    assert found.address == address


def test_a_key_that_was_made_up_and_a_tunnel_are_found() -> None:
    made_up = "sk-abcDEF_0123456789-abcdefgh"
    found = endpoint_of(
        state(
            f"Other machines can reach this API and --api-key is not set. The key until the next start: {made_up}",
            "OpenAI-compatible API: http://127.0.0.1:5000/v1",
            "Public API: https://some-words.trycloudflare.com",
        ),
        settings(public_api=True),
        page_host="127.0.0.1",
        model=None,
    )
    assert found == Endpoint(
        address="http://127.0.0.1:5000", key=made_up, public="https://some-words.trycloudflare.com"
    )


@pytest.mark.parametrize("title", TITLES)
def test_the_key_is_in_every_example(title: str) -> None:
    endpoint = Endpoint(address="http://127.0.0.1:5000", key="sk-secret", model="m")
    [text] = [example.text for example in examples_of(endpoint) if example.title == title]
    assert "sk-secret" in text
    assert "http://127.0.0.1:5000" in text
