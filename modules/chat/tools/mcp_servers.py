"""Which MCP servers there are: the entries of mcp.json, and lines of `url,Header: value,…`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from modules.errors import BadRequest
from modules.library.text_files import as_mapping, parse_json, read_text

_MAX_SERVERS: Final = 50


@dataclass(frozen=True, slots=True)
class CommandServer:
    """A server that is started as a process and spoken to over its stdin and stdout."""

    name: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class UrlServer:
    """A server that runs somewhere and is spoken to over HTTP; `headers` may hold keys."""

    name: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


McpServer: TypeAlias = CommandServer | UrlServer


@dataclass(frozen=True, slots=True)
class Listed:
    """What was read: servers, and what is wrong with an entry by its name."""

    servers: tuple[McpServer, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


class _Entry(BaseModel):
    """One entry of mcp.json as other programs write it; keys that mean nothing here are passed over."""

    command: str = ""
    args: list[str] = []
    env: dict[str, str] = {}
    url: str = ""
    headers: dict[str, str] = {}
    disabled: bool = False


def read_server_file(path: Path) -> Listed:
    """The servers of an mcp.json; none where there is no file. Never raises: a bad entry hides no other."""
    try:
        content = as_mapping(parse_json(read_text(path), path.name), path.name)
        entries = as_mapping(content.get("mcpServers"), path.name)
    except FileNotFoundError:
        return Listed()
    except BadRequest as error:
        return Listed(problems=((path.name, error.message),))
    servers: list[McpServer] = []
    problems: list[tuple[str, str]] = []
    for name, entry in list(entries.items())[:_MAX_SERVERS]:
        try:
            servers += _servers_of(name, entry)
        except BadRequest as error:
            problems.append((name, error.message))
    return Listed(tuple(servers), tuple(problems))


def parse_server_lines(text: str) -> tuple[UrlServer, ...]:
    """One server a line; empty lines and those that begin with # say nothing. Raises BadRequest with the line's number."""
    servers: dict[str, UrlServer] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            url, *headers = line.split(",")
            server = _url_server("", url.strip(), dict(_header(part, number) for part in headers), f"Line {number}")
            servers[server.url] = server
    if len(servers) > _MAX_SERVERS:
        raise BadRequest(f"There may be {_MAX_SERVERS} MCP servers at most.", param="mcp_servers")
    return tuple(servers.values())


def _servers_of(name: str, entry: object) -> Iterator[McpServer]:
    try:
        read = _Entry.model_validate(entry)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or "the entry"
        raise BadRequest(f"In mcp.json, {place} is not what it should be: {error.errors()[0]['msg']}.") from None
    if read.disabled:
        return
    if read.command:
        yield CommandServer(name, read.command, tuple(read.args), tuple(read.env.items()))
    elif read.url:
        yield _url_server(name, read.url, read.headers, "Its entry in mcp.json")
    else:
        raise BadRequest("Its entry in mcp.json needs a command or a url.")


def _url_server(name: str, url: str, headers: Mapping[str, str], place: str) -> UrlServer:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadRequest(f"{place} has no usable address.", param="mcp_servers") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadRequest(f"{place} must begin with an address such as http://127.0.0.1:8000/mcp.", param="mcp_servers")
    if any(not _is_header(key, value) for key, value in headers.items()):
        raise BadRequest(f"{place} has a header with characters that no header may have.", param="mcp_servers")
    shown = parts.hostname if port is None else f"{parts.hostname}:{port}"
    return UrlServer(name or shown, url, tuple(headers.items()))


def _header(part: str, line: int) -> tuple[str, str]:
    name, colon, value = part.partition(":")
    if not colon or not name.strip():
        raise BadRequest(f"Line {line}: after the address stand headers, each as Name: value.", param="mcp_servers")
    return name.strip(), value.strip()


def _is_header(name: str, value: str) -> bool:
    is_name = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return is_name and value.isascii() and (value.isprintable() or not value)
