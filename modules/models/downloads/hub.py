"""A model hub that speaks Hugging Face's API: repositories, addresses of files, and the HTTP client."""

import asyncio
import base64
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import HfApi, get_token, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo, RepoSibling

from modules.addresses import is_public
from modules.errors import BadRequest, NotFound, ServiceError
from modules.models.downloads.hub_name import HubName, parse_hub_name

# Room for several downloads at once, and for lists beside them.
CONNECTIONS: Final = 8
# No bound on waiting for a free connection: a queued file waits until another is done.
_TIMEOUT: Final = httpx2.Timeout(30.0, read=60.0, pool=None)


class RedirectRefused(Exception):
    """The hub pointed at an address that a download has no business with."""


def hub_client(endpoint: str, authorization: str | None) -> httpx2.AsyncClient:
    """`authorization` goes to the endpoint's own host; httpx2 leaves it out when a redirect leads to another.

    Redirects go from https to https only, and into a private network only when the endpoint stands in one too.
    """
    return httpx2.AsyncClient(
        headers={"Authorization": authorization} if authorization else {},
        follow_redirects=True,
        # The hub leads to its storage in one or two.
        max_redirects=5,
        timeout=_TIMEOUT,
        limits=httpx2.Limits(max_connections=CONNECTIONS),
        event_hooks={"request": [_guard(endpoint)]},
    )


def _guard(endpoint: str) -> Callable[[httpx2.Request], Awaitable[None]]:
    hub = urlsplit(endpoint)

    async def check(request: httpx2.Request) -> None:
        if request.url.host == hub.hostname:
            return
        if hub.scheme == "https" and request.url.scheme != "https":
            raise RedirectRefused("The hub redirected the download to an address without https.")
        # A hub that redirects into the local network would turn downloads into requests to its services (SSRF).
        if await _is_private(request.url.host) and not await _is_private(hub.hostname or ""):
            raise RedirectRefused("The hub redirected the download to an address in a private network.")

    return check


async def _is_private(host: str) -> bool:
    """A host that cannot be resolved here counts as public: only a proxy could reach it."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(not is_public(str(entry[4][0])) for entry in found)


HUGGING_FACE: Final = "https://huggingface.co"

_PARAM: Final = "model"
_LIST_SECONDS: Final = 30.0


class HubFailed(ServiceError):
    """The hub, the way to it, or the disk failed; what was fetched is kept for the next attempt."""

    code = "download_failed"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """`size` is in bytes. Of the sums, hexadecimal, large files have `sha256`, the others `git_id`, Git's SHA-1 of a blob."""

    name: str
    size: int
    sha256: str | None = None
    git_id: str | None = None


@dataclass(frozen=True, slots=True)
class RepoFiles:
    """What a repository holds at `commit`, which `source` named; `files` in alphabetical order."""

    source: HubName
    commit: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True, slots=True)
class Hub:
    """`authorization` is the value of the HTTP header; it is never shown."""

    endpoint: str = HUGGING_FACE
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls) -> "Hub":
        """HF_ENDPOINT, HF_TOKEN or what the hub's own command stored, HF_USER and HF_PASS."""
        return cls((os.environ.get("HF_ENDPOINT") or HUGGING_FACE).rstrip("/"), _authorization())

    def parse(self, name: str, branch: str | None = None) -> HubName:
        """`branch` goes above the one in the name. Raises BadRequest."""
        return parse_hub_name(name, self.endpoint, branch)

    async def list_files(self, name: HubName) -> RepoFiles:
        """Raises NotFound, BadRequest, HubFailed."""
        found = await asyncio.to_thread(self._ask, name)
        files = sorted((_remote_file(sibling) for sibling in found.siblings or ()), key=lambda file: file.name)
        return RepoFiles(name, found.sha or name.revision, tuple(files))

    def client(self) -> httpx2.AsyncClient:
        return hub_client(self.endpoint, self.authorization)

    def url(self, repo: RepoFiles, file: RemoteFile) -> str:
        return hf_hub_url(repo.source.repo, file.name, revision=repo.commit, endpoint=self.endpoint)

    def page(self, name: HubName) -> str:
        return f"{self.endpoint}/{name.repo}"

    def _ask(self, name: HubName) -> ModelInfo:
        headers = {"Authorization": self.authorization} if self.authorization else {}
        # token=False: the library would otherwise send a stored token to whatever endpoint is set.
        api = HfApi(endpoint=self.endpoint, token=False, headers=headers)
        try:
            return api.model_info(name.repo, revision=name.revision, files_metadata=True, timeout=_LIST_SECONDS)
        except RevisionNotFoundError as error:
            raise NotFound(f"{name.repo} has no branch {name.revision}.", param=_PARAM) from error
        except GatedRepoError as error:
            raise self.closed(name) from error
        except RepositoryNotFoundError as error:
            raise NotFound(
                f"The hub has no model {name.repo}, or it is private. For a private one set HF_TOKEN.", param=_PARAM
            ) from error
        except HFValidationError as error:
            raise BadRequest("This is not the name of a model.", param=_PARAM) from error
        except OfflineModeIsEnabled as error:
            raise HubFailed("HF_HUB_OFFLINE is set, so nothing is downloaded. Unset it to download models.") from error
        except HfHubHTTPError as error:
            raise HubFailed(f"The hub answered with status {error.response.status_code}. Try again later.") from error
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            raise HubFailed("The hub could not be reached. Check the network, or HF_ENDPOINT if it is set.") from error

    def closed(self, name: HubName) -> HubFailed:
        """For files that only some may have."""
        return HubFailed(
            f"Access to {name.repo} is restricted. Accept its terms at {self.page(name)}, "
            "and set HF_TOKEN to a token of that account."
        )


def _authorization() -> str | None:
    token = get_token()
    if token:
        return f"Bearer {token}"
    user, password = os.environ.get("HF_USER"), os.environ.get("HF_PASS")
    if user and password:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return None


def _remote_file(sibling: RepoSibling) -> RemoteFile:
    lfs = sibling.lfs
    return RemoteFile(
        name=sibling.rfilename,
        size=(lfs.size if lfs else sibling.size) or 0,
        sha256=lfs.sha256.lower() if lfs else None,
        git_id=None if lfs else sibling.blob_id,
    )
