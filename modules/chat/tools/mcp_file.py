"""Changing mcp.json from the page: servers are added, switched and removed, and all else in it stays."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modules.errors import BadRequest
from modules.library.text_files import as_mapping, parse_json, read_text
from modules.paths import atomic_write

_SERVERS: Final = "mcpServers"
_PARAM: Final = "mcp_servers"
_MAX_NAME: Final = 60


class McpFile:
    """Blocks for as long as the disk takes. Raises BadRequest for a file that is no mcp.json, and leaves it as it is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, name: str, place: str, more: str = "") -> None:
        """In place of a server of that name. `place` is an address, or a command with its arguments; `more` has a header or
        variable in each line, as Name: value or NAME=value. Raises BadRequest."""
        if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
            raise BadRequest(f"Give the server a name of 1 to {_MAX_NAME} characters.", param=_PARAM)
        entry = _entry(place.strip(), more)
        content, servers = self._read()
        self._write(content, {**servers, name.strip(): entry})

    def switch(self, name: str, *, is_on: bool) -> None:
        content, servers = self._read()
        entry = dict(self._existing(servers, name))
        if is_on:
            entry.pop("disabled", None)
        else:
            entry["disabled"] = True
        self._write(content, {**servers, name: entry})

    def remove(self, name: str) -> None:
        content, servers = self._read()
        self._existing(servers, name)
        self._write(content, {key: value for key, value in servers.items() if key != name})

    def names(self) -> dict[str, bool]:
        """Of the servers in the file, with whether they are on; none where the file cannot be read."""
        try:
            _, servers = self._read()
        except BadRequest:
            return {}
        return {name: not (isinstance(entry, dict) and entry.get("disabled")) for name, entry in servers.items()}

    def _existing(self, servers: Mapping[str, object], name: str) -> Mapping[str, object]:
        entry = servers.get(name)
        if not isinstance(entry, dict):
            raise BadRequest(f"There is no server named {name[:80]!a} in mcp.json.", param=_PARAM)
        return entry

    def _read(self) -> tuple[Mapping[str, object], Mapping[str, object]]:
        try:
            content = as_mapping(parse_json(read_text(self._path), self._path.name), self._path.name)
        except FileNotFoundError:
            return {}, {}
        return content, as_mapping(content.get(_SERVERS), self._path.name)

    def _write(self, content: Mapping[str, object], servers: Mapping[str, object]) -> None:
        atomic_write(self._path, json.dumps({**content, _SERVERS: servers}, indent=2, ensure_ascii=False) + "\n")


def _entry(place: str, more: str) -> dict[str, Any]:
    lines = [line.strip() for line in more.splitlines() if line.strip()]
    if place.startswith(("http://", "https://")):
        headers = dict(_pair(line, ":") for line in lines)
        return {"url": place, **({"headers": headers} if headers else {})}
    try:
        command, *args = shlex.split(place)
    except ValueError:
        raise BadRequest("Enter an address, or a command with its arguments, quotes closed.", param=_PARAM) from None
    env = dict(_pair(line, "=") for line in lines)
    return {"command": command, "args": args, **({"env": env} if env else {})}


def _pair(line: str, sign: str) -> tuple[str, str]:
    name, found, value = line.partition(sign)
    if not found or not name.strip():
        raise BadRequest(
            "Each line has a header of an address as Name: value, or a variable of a command as NAME=value.",
            param=_PARAM,
        )
    return name.strip(), value.strip()
