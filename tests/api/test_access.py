"""Who gets in: keys, host names, web pages of strangers."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route

from extensions.openai.access import PUBLIC_PATHS, ManagementRoute
from tests.api.serving import CHAT, RawCall, Served, calling, says, served

KEY, ADMIN = "user-key-1", "admin-key-1"
KEYS: dict[str, Any] = {"api_key": KEY, "admin_key": ADMIN}
MODELS = "/v1/models"
LIST = "/v1/internal/model/list"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer {KEY}"},
        {"Authorization": f"Token {KEY}"},
        {"x-api-key": KEY},
        {"api-key": KEY},
        {"Authorization": "Bearer wrong", "api-key": KEY},
        {"Authorization": f"Bearer {ADMIN}"},
    ],
)
async def test_a_key_opens_in_every_form(tmp_path: Path, headers: dict[str, str]) -> None:
    async with served(tmp_path, **KEYS) as api:
        assert (await api.http.get(MODELS, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {KEY}x"},
        {"x-api-key": ""},
        {"x-api-key": KEY[:-1]},
        {"Authorization": "Bearer schlüssel".encode().decode("latin-1")},
    ],
)
async def test_anything_else_does_not(tmp_path: Path, headers: dict[str, str]) -> None:
    async with served(tmp_path, **KEYS) as api:
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        response = await api.http.get(MODELS, headers=sent)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_management_needs_the_admin_key(tmp_path: Path) -> None:
    async with served(tmp_path, **KEYS) as api:
        user, admin = ({"Authorization": f"Bearer {key}"} for key in (KEY, ADMIN))
        assert (await api.http.get(LIST, headers=user)).status_code == 401
        assert (await api.http.get(LIST, headers=admin)).status_code == 200


async def test_the_api_key_is_the_admin_key_where_that_is_not_set(tmp_path: Path) -> None:
    async with served(tmp_path, api_key=KEY) as api:
        assert (await api.http.get(LIST, headers={"api-key": KEY})).status_code == 200


async def test_an_admin_key_alone_guards_management_alone(tmp_path: Path) -> None:
    async with served(tmp_path, admin_key=ADMIN) as api:
        assert (await api.http.get(MODELS)).status_code == 200
        assert (await api.http.get(LIST)).status_code == 401


def leaves(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """The routes proper, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from leaves(included.routes)


def requests_to(route: BaseRoute) -> Iterator[tuple[str, str]]:
    """A method and a path for everything that the route answers."""
    if isinstance(route, Mount):
        yield "GET", f"{route.path}/anything"
    else:
        assert isinstance(route, Route | APIRoute), f"{route} is of a kind that this test does not know"
        for method in route.methods or {"GET"}:
            yield method, route.path.replace("{model:path}", "any")


async def test_every_route_is_guarded(tmp_path: Path) -> None:
    async with served(tmp_path, **KEYS) as api:
        every = {request for route in leaves(api.app.routes) for request in requests_to(route)}
        assert ("GET", "/docs") in every
        assert ("GET", "/openapi.json") in every
        assert ("POST", CHAT) in every
        for method, path in every:
            response = await api.http.request(method, path)
            assert (response.status_code == 401) is (path not in PUBLIC_PATHS), (method, path)


async def test_every_management_route_asks_for_the_admin_key(tmp_path: Path) -> None:
    async with served(tmp_path, **KEYS) as api:
        management = [route for route in leaves(api.app.routes) if isinstance(route, ManagementRoute)]
        assert {route.path.rsplit("/", 1)[-1] for route in management} == {"list", "load", "unload"}
        for method, path in (request for route in management for request in requests_to(route)):
            response = await api.http.request(method, path, headers={"api-key": KEY}, content=b"not even JSON")
            assert response.status_code == 401, path


@pytest.mark.parametrize("host", ["x/health?", "a/?b=", "127.0.0.1/health", "localhost@evil.com", "[::1]evil"])
@pytest.mark.parametrize("path", [MODELS, "//v1/models", "/v1/../v1/models", "/V1/models", "/v1/models/"])
async def test_a_host_header_does_not_open_a_path(tmp_path: Path, host: str, path: str) -> None:
    async with served(tmp_path, listen=True, **KEYS) as api:
        for method in ("GET", "HEAD", "POST"):
            response = await api.http.request(method, path, headers={"Host": host, "X-Forwarded-Host": "x/health"})
            assert response.status_code == 401


async def test_health_is_public_and_says_no_names(tmp_path: Path) -> None:
    async with served(tmp_path, **KEYS) as api:
        response = await api.http.get("/health")
        assert (response.status_code, response.text) == (200, '{"status":"ok"}')


async def test_a_stranger_is_sent_away_before_the_body_is_read(tmp_path: Path) -> None:
    async with served(tmp_path, **KEYS) as api:
        for path in (CHAT, "/v1/internal/model/load"):
            call = RawCall(api.app, path, b"x" * 1000)
            await call.run()
            assert call.status == 401
            assert not call.has_read_body
            assert (b"connection", b"close") in call.sent[0]["headers"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:5000", "LOCALHOST", "[::1]", "[::1]:5000", "box.lan:80"])
async def test_own_names_are_answered(tmp_path: Path, host: str) -> None:
    async with served(tmp_path, api_allowed_hosts=("box.lan",)) as api:
        assert (await api.http.get(MODELS, headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.com", "localhost.evil.com", "evil.com:127", "user@localhost", "", "::1"])
async def test_foreign_names_are_not(api: Served, host: str) -> None:
    for path in (MODELS, "/health"):
        response = await api.http.get(path, headers={"Host": host})
        assert response.status_code == 400
        assert "host" in response.json()["error"]["message"]


async def test_who_can_be_reached_from_elsewhere_answers_to_any_name(tmp_path: Path) -> None:
    async with served(tmp_path, listen=True, **KEYS) as api:
        assert (await api.http.get("/health", headers={"Host": "box.example.org"})).status_code == 200


STRANGE_ORIGINS = ["https://evil.com", "null", "http://localhost.evil.com", "http://localhost:3000"]


@pytest.mark.parametrize("origin", STRANGE_ORIGINS)
async def test_pages_of_strangers_cannot_call(api: Served, origin: str) -> None:
    for method, path in (("GET", MODELS), ("POST", CHAT), ("POST", "/v1/internal/stop-generation")):
        response = await api.http.request(method, path, headers={"Origin": origin})
        assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("origin", STRANGE_ORIGINS)
async def test_a_key_lets_a_page_call_but_not_read(tmp_path: Path, origin: str) -> None:
    async with served(tmp_path, **KEYS) as api:
        response = await api.http.get(MODELS, headers={"Origin": origin, "api-key": KEY})
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers


async def test_the_servers_own_page_and_programs_may_call(api: Served) -> None:
    for origin in ("http://127.0.0.1:5000", "vscode-webview://x", "app://obsidian.md"):
        assert (await api.http.get(MODELS, headers={"Origin": origin})).status_code == 200


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-stainless-os",
    }


async def test_pages_that_the_operator_names_may_call_and_read(tmp_path: Path) -> None:
    page = "https://chat.example"
    async with served(tmp_path, api_cors_origins=(page,), **KEYS) as api:
        asked = await api.http.options(CHAT, headers=preflight(page))
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == page
        assert "x-stainless-os" in asked.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in asked.headers
        answer = await api.post(CHAT, says("echo: hi"), Origin=page, Authorization=f"Bearer {KEY}")
        assert answer.headers["access-control-allow-origin"] == page
        refused = await api.post(CHAT, says("echo: hi"), Origin=page)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, page)


@pytest.mark.parametrize("origin", STRANGE_ORIGINS)
async def test_others_fail_their_preflight(api: Served, origin: str) -> None:
    response = await api.http.options(CHAT, headers=preflight(origin))
    assert response.status_code == 400
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("path", ["/v1/models", "/models", "/v1/models/", "//v1//models", "/models/"])
async def test_a_base_url_may_come_with_or_without_version_and_slashes(api: Served, path: str) -> None:
    assert (await api.http.get(path)).json()["object"] == "list"


async def test_the_bare_question_whether_anybody_is_there(tmp_path: Path) -> None:
    async with served(tmp_path, **KEYS) as api:
        assert (await api.http.options("/")).status_code == 401
        assert (await api.http.options("/", headers={"api-key": KEY})).json() == "OK"


async def test_stopping_stops_only_what_is_ones_own(tmp_path: Path) -> None:
    body = json.dumps(says("stall", stream=True)).encode()
    other = "other-key"
    async with served(tmp_path, api_key=KEY, admin_key=other) as api:
        mine, theirs = (RawCall(api.app, CHAT, body, {"api-key": key}) for key in (KEY, other))
        async with calling(mine) as my_run, calling(theirs) as their_run:
            await mine.until_says("waiting")
            await theirs.until_says("waiting")
            stop: Any = await api.http.post("/v1/internal/stop-generation", headers={"api-key": KEY})
            assert stop.json() == "OK"
            await my_run
            assert b'"finish_reason":"stop"' in mine.sent_body
            assert not their_run.done()
