"""A model hub on this machine: the part of Hugging Face's API that downloads use, with every way in which it can fail.

Large files are answered with a redirect to a second server under another host name, as the real one does.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from modules.models.downloads.hub import Hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRET = "hf_secret_of_the_tests"


@dataclass(frozen=True, slots=True)
class Request:
    """`server` is "hub" or "store"."""

    server: str
    path: str
    range: str | None
    authorization: str | None


@dataclass
class HubServer:
    """`repos` maps owner/name to its files. What can be made to fail, by file name:

    `drops`: connections end after so many bytes of the body, one entry for each request. `statuses`: answers instead of
    the content. `damaged`: how often the content is wrong. `held`: half the content comes, then nothing until `release`.
    """

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: frozenset[str] = frozenset({"main"})
    gated: set[str] = field(default_factory=set)
    drops: dict[str, list[int]] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    damaged: dict[str, int] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    knows_ranges: bool = True
    redirect_to: str | None = None
    release: threading.Event = field(default_factory=threading.Event)
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""
    store: str = ""

    @property
    def hub(self) -> Hub:
        return Hub(self.endpoint, f"Bearer {SECRET}")

    def served(self, name: str) -> list[str | None]:
        """The ranges that the content of a file was asked for."""
        return [request.range for request in self.requests if request.path.endswith(f"/{name}") and self._has(request)]

    def _has(self, request: Request) -> bool:
        return request.server == "store" or not self.is_large(request.path.rpartition("/")[2])

    @staticmethod
    def is_large(name: str) -> bool:
        return name.lower().endswith((".gguf", ".safetensors", ".bin"))

    def listing(self, repo: str) -> dict[str, object]:
        siblings = [_sibling(name, content, self.is_large(name)) for name, content in self.repos[repo].items()]
        return {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings}


def _sibling(name: str, content: bytes, is_large: bool) -> dict[str, object]:
    blob = {"rfilename": name, "size": len(content)}
    if is_large:
        sha256 = hashlib.sha256(content).hexdigest()
        return blob | {"blobId": "0" * 40, "lfs": {"sha256": sha256, "size": len(content), "pointerSize": 130}}
    return blob | {"blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_name: str
    state: HubServer

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = self.headers
        self.state.requests.append(Request(self.server_name, path, headers["Range"], headers["Authorization"]))
        if path.startswith("/api/models/"):
            self._list(path.removeprefix("/api/models/"))
        else:
            owner, name, _, _, *rest = path.strip("/").split("/")
            self._send_file(f"{owner}/{name}", "/".join(rest))

    def _list(self, path: str) -> None:
        repo, _, revision = path.partition("/revision/")
        if repo not in self.state.repos:
            self._fail(404, "RepoNotFound")
        elif revision not in self.state.branches:
            self._fail(404, "RevisionNotFound")
        else:
            self._answer(200, json.dumps(self.state.listing(repo)).encode())

    def _send_file(self, repo: str, name: str) -> None:
        state = self.state
        if repo in state.gated:
            self._fail(403, "GatedRepo")
        elif self.server_name == "hub" and state.is_large(name):
            self._answer(302, b"", Location=(state.redirect_to or state.store) + self.path)
        elif state.statuses.get(name):
            self._answer(state.statuses[name].pop(0), b"")
        else:
            self._send_content(name, state.repos[repo][name])

    def _send_content(self, name: str, content: bytes) -> None:
        start = 0
        if self.state.knows_ranges and self.headers["Range"]:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if self.state.damaged.get(name, 0):
            self.state.damaged[name] -= 1
            content = bytes(len(content))
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        drops = self.state.drops.get(name)
        if name in self.state.held:
            self.wfile.write(body[: len(body) // 2])
            self.state.release.wait(20)
            self.close_connection = True
        elif drops:
            self.wfile.write(body[: drops.pop(0)])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _fail(self, status: int, code: str) -> None:
        self._answer(status, json.dumps({"error": code}).encode(), **{"X-Error-Code": code, "X-Error-Message": code})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Tests read `requests` instead."""


@contextmanager
def hub_server() -> Iterator[HubServer]:
    state = HubServer()
    with _serving("hub", state) as hub, _serving("store", state) as store:
        state.endpoint = f"http://127.0.0.1:{hub}"
        state.store = f"http://localhost:{store}"
        try:
            yield state
        finally:
            state.release.set()


@contextmanager
def _serving(name: str, state: HubServer) -> Iterator[int]:
    handler = type(f"_{name.title()}", (_Handler,), {"server_name": name, "state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        # Waits for connections that are kept open only as long as their clients keep them.
        server.daemon_threads = True
        server.block_on_close = False
        server.server_close()
