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
        assert {route.path.rsplit("/", 1)[-1] for route in management} == {"list", "load", "unload", "delete"}
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


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost:5000",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "[::1]:5000",
        "0.0.0.0:5000",
        "box.lan:80",
        "host.docker.internal:5000",
        "Host.Docker.Internal",
        "gateway.docker.internal",
        "host.containers.internal:80",
        "host.lima.internal",
        "host.orb.internal:5000",
    ],
)
async def test_own_names_are_answered(tmp_path: Path, host: str) -> None:
    async with served(tmp_path, api_allowed_hosts=("box.lan",)) as api:
        assert (await api.http.get(MODELS, headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "localhost.evil.com",
        "evil.com:127",
        "user@localhost",
        "",
        "::1",
        "docker.internal",
        "evil.internal",
        "host.docker.internal.evil.com",
        "xhost.docker.internal",
        "host.docker.internal@evil.com",
    ],
)
async def test_foreign_names_are_not(api: Served, host: str) -> None:
    for path in (MODELS, "/health"):
        response = await api.http.get(path, headers={"Host": host})
        assert response.status_code == 400
        assert "host" in response.json()["error"]["message"]


async def test_who_can_be_reached_from_elsewhere_answers_to_any_name(tmp_path: Path) -> None:
    async with served(tmp_path, listen=True, **KEYS) as api:
        assert (await api.http.get("/health", headers={"Host": "box.example.org"})).status_code == 200


STRANGE_ORIGINS = [
    "https://evil.com",
    "null",
    "http://localhost.evil.com",
    "http://127.0.0.1.evil.com",
    "http://localhost@evil.com",
    "http://evillocalhost",
    "http://192.168.1.5:3000",
    "http://[::ffff:8.8.8.8]",
    "http://[",
    "evil.com",
    "data://x",
]
OWN_PAGES = [
    "http://localhost:3000",
    "http://127.0.0.1:8080",
    "https://localhost",
    "http://[::1]:5173",
    "http://0.0.0.0:3000",
]
PROGRAMS = [
    "app://obsidian.md",
    "capacitor://localhost",
    "chrome-extension://jfgfiigpkhlkbnfnbobbkinehhfdhndo",
    "file://",
    "http://tauri.localhost",
    "https://tauri.localhost",
    "moz-extension://5a3c1c1e-0c3b-4f6a-9f53-1d7ac6c1c7f5",
    "safari-web-extension://2D6BE0A5-6E5D-4B5B-A0CF-0A9B7D6E6E0B",
    "tauri://localhost",
    "vscode-webview://1r2q3",
]  # fmt: skip
WEBSITES = ["https://anse.app", "https://lite.koboldai.net", "null"]


@pytest.mark.parametrize("origin", STRANGE_ORIGINS)
async def test_pages_of_strangers_cannot_call(api: Served, origin: str) -> None:
    for method, path in (("GET", MODELS), ("POST", CHAT), ("POST", "/v1/internal/stop-generation")):
        response = await api.http.request(method, path, headers={"Origin": origin})
        assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
        assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", [*OWN_PAGES, *PROGRAMS])
async def test_pages_from_this_machine_may_call_and_read(api: Served, origin: str) -> None:
    """Page Assist, Obsidian's plugins, programs in a web view, and whoever develops a page."""
    await may_call_and_read(api, origin)


@pytest.mark.parametrize("origin", [*WEBSITES, *OWN_PAGES, *PROGRAMS])
async def test_with_a_key_any_page_may_call_and_read(tmp_path: Path, origin: str) -> None:
    """anse from its website, Kobold Lite from a file: the page has the key, and nobody else's browser adds it."""
    async with served(tmp_path, **KEYS) as api:
        await may_call_and_read(api, origin, Authorization=f"Bearer {KEY}")
        stranger = await api.post(CHAT, says("echo: hi"), Origin=origin)
        assert (stranger.status_code, stranger.headers["access-control-allow-origin"]) == (401, origin)


async def may_call_and_read(api: Served, origin: str, **headers: str) -> None:
    asked = await api.http.options(CHAT, headers=preflight(origin) | PRIVATE_NETWORK)
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == origin
    assert asked.headers["access-control-allow-private-network"] == "true"
    assert "x-stainless-os" in asked.headers["access-control-allow-headers"]
    answer = await api.post(CHAT, says("echo: hi"), Origin=origin, **headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    stream = await api.post(CHAT, says("echo: hi", stream=True), Origin=origin, **headers)
    assert stream.headers["access-control-allow-origin"] == origin
    for response in (asked, answer, stream):
        assert "access-control-allow-credentials" not in response.headers
        assert "Origin" in response.headers["vary"]


async def test_with_a_key_naming_pages_keeps_the_others_out(tmp_path: Path) -> None:
    page = "https://chat.example"
    async with served(tmp_path, api_cors_origins=(page,), **KEYS) as api:
        await may_call_and_read(api, page, Authorization=f"Bearer {KEY}")
        for other in ("https://other.example", "http://localhost:3000", "app://obsidian.md"):
            await fails_its_preflight(api, other)
            answer = await api.post(CHAT, says("echo: hi"), Origin=other, Authorization=f"Bearer {KEY}")
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("named", ["https://chat.example", "null", "*"])
async def test_without_a_key_naming_pages_lets_them_in_too(tmp_path: Path, named: str) -> None:
    async with served(tmp_path, api_cors_origins=(named,)) as api:
        await may_call_and_read(api, "https://chat.example" if named == "*" else named)
        await may_call_and_read(api, "http://localhost:3000")
        if named != "*":
            await fails_its_preflight(api, "https://other.example")


async def test_the_servers_own_page_may_call(api: Served) -> None:
    assert (await api.http.get(MODELS, headers={"Origin": "http://127.0.0.1:5000"})).status_code == 200


@pytest.mark.parametrize("keys", [{}, KEYS])
async def test_a_page_that_points_its_own_name_here_gets_nowhere(tmp_path: Path, keys: dict[str, Any]) -> None:
    async with served(tmp_path, **keys) as api:
        rebound = {"Host": "evil.com", "Origin": "http://evil.com", "api-key": KEY}
        assert (await api.http.get(MODELS, headers=rebound)).status_code == 400
        asked = await api.http.options(CHAT, headers=preflight("http://localhost:3000") | {"Host": "evil.com"})
        assert asked.status_code == 400
        assert "access-control-allow-origin" not in asked.headers


async def test_a_body_that_browsers_send_without_asking_does_not_run(api: Served) -> None:
    body = json.dumps(says("echo: hi"))
    headers = {"Content-Type": "text/plain", "Origin": "https://evil.com"}
    response = await api.http.post(CHAT, content=body, headers=headers)
    assert response.status_code == 403


PRIVATE_NETWORK = {"Access-Control-Request-Private-Network": "true"}


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-stainless-os",
    }


@pytest.mark.parametrize("origin", STRANGE_ORIGINS)
async def test_others_fail_their_preflight(api: Served, origin: str) -> None:
    await fails_its_preflight(api, origin)


async def fails_its_preflight(api: Served, origin: str) -> None:
    for more in ({}, PRIVATE_NETWORK):
        response = await api.http.options(CHAT, headers=preflight(origin) | more)
        assert response.status_code == 400
        assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", ["/v1/models", "/models", "/v1/models/", "//v1//models", "/models/"])
async def test_a_base_url_may_come_with_or_without_version_and_slashes(api: Served, path: str) -> None:
    assert (await api.http.get(path)).json()["object"] == "list"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, says("count 3")),
        ("/v1/completions", {"prompt": "count 3"}),
        ("/v1/responses", {"input": "count 3"}),
        ("/v1/messages", says("count 3", max_tokens=9)),
        ("/v1/messages/count_tokens", says("count 3")),
        ("/v1/responses/input_tokens", {"input": "count 3"}),
        ("/v1/internal/encode", {"text": "x"}),
        ("/tokenize", {"prompt": "x"}),
        ("/detokenize", {"tokens": [65]}),
    ],
)
async def test_every_endpoint_is_found_without_version_and_with_it_twice(
    api: Served, path: str, body: dict[str, Any]
) -> None:
    bare = path.removeprefix("/v1")
    for spelling in (bare, f"/v1{bare}", f"/v1/v1{bare}", f"//v1//v1/{bare}/"):
        assert (await api.post(spelling, body)).status_code == 200, spelling


@pytest.mark.parametrize("path", ["/health", "/metrics", "/tokenizer_info"])
async def test_what_has_no_version_is_found_with_one(tmp_path: Path, path: str) -> None:
    async with served(tmp_path, **KEYS) as api:
        for spelling in (path, f"/v1{path}", f"/v1/v1{path}"):
            assert (await api.http.get(spelling, headers={"api-key": KEY})).status_code == 200
            is_public = path in PUBLIC_PATHS
            assert ((await api.http.get(spelling)).status_code == 200) is is_public
        assert (await api.http.get("/v1/health/x")).status_code == 401


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
