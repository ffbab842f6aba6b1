"""Where a hub may send a download on to."""

import httpx2
import pytest

from modules.models.downloads.hub import RedirectRefused, hub_client


async def visit(endpoint: str, address: str) -> None:
    """What is done before any request, the first and those after redirects."""
    async with hub_client(endpoint, None) as client:
        for hook in client.event_hooks["request"]:
            await hook(httpx2.Request("GET", address))


@pytest.mark.parametrize(
    "address",
    [
        "http://8.8.4.4/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://0.0.0.0/x",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[64:ff9b:1::7f00:1]/x",
        "https://2130706433/x",
    ],
)
async def test_a_public_hub_leads_to_public_places_over_https_only(address: str) -> None:
    with pytest.raises(RedirectRefused):
        await visit("https://8.8.8.8", address)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("https://8.8.8.8", "https://8.8.4.4/x"),
        ("https://8.8.8.8", "https://8.8.8.8/x"),
        ("http://127.0.0.1:81", "http://127.0.0.1:82/x"),
        ("http://127.0.0.1:81", "http://localhost:82/x"),
        ("http://8.8.8.8", "http://8.8.4.4/x"),
        ("http://10.0.0.1", "https://8.8.4.4/x"),
    ],
)
async def test_what_is_allowed(endpoint: str, address: str) -> None:
    await visit(endpoint, address)
