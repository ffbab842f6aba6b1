"""Which servers mcp.json and the lines of the setting name."""

import json
from pathlib import Path

import pytest

from modules.chat.tools.mcp_servers import (
    CommandServer,
    Listed,
    UrlServer,
    parse_server_lines,
    read_server_file,
)
from modules.errors import BadRequest


def listed(folder: Path, content: object) -> Listed:
    path = folder / "mcp.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_server_file(path)


def test_entries_of_the_file(tmp_path: Path) -> None:
    entries = {
        "files": {"command": "npx", "args": ["-y", "server"], "env": {"KEY": "v"}, "type": "stdio"},
        "web": {"url": "https://example.org/mcp", "headers": {"Authorization": "Bearer k"}},
        "off": {"command": "x", "disabled": True},
    }
    assert listed(tmp_path, {"mcpServers": entries}) == Listed(
        (
            CommandServer("files", "npx", ("-y", "server"), (("KEY", "v"),)),
            UrlServer("web", "https://example.org/mcp", (("Authorization", "Bearer k"),)),
        )
    )


@pytest.mark.parametrize("content", ["", "{}", '{"mcpServers": {}}', '{"mcpServers": null}', "null"])
def test_files_that_name_no_server(tmp_path: Path, content: str) -> None:
    assert listed(tmp_path, content or "{}") == Listed()
    assert read_server_file(tmp_path / "absent.json") == Listed()


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "needs a command or a url"),
        (3, "the entry is not what it should be"),
        ({"command": "x", "args": "y"}, "args is not what it should be"),
        ({"command": ["x"]}, "command is not what it should be"),
        ({"command": "x", "env": {"A": 1}}, "env.A is not what it should be"),
        ({"url": "file:///etc/passwd"}, "must begin with an address"),
        ({"url": "http://a/", "headers": {"A b": "c"}}, "a header with characters"),
    ],
)
def test_a_bad_entry_hides_no_other(tmp_path: Path, entry: object, problem: str) -> None:
    found = listed(tmp_path, {"mcpServers": {"bad": entry, "good": {"command": "x"}}})
    assert found.servers == (CommandServer("good", "x"),)
    [(name, words)] = found.problems
    assert name == "bad"
    assert problem in words


@pytest.mark.parametrize("content", ["{", "[]", '{"mcpServers": []}', "\x00", "[" * 100_000])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    found = listed(tmp_path, content)
    assert found.servers == ()
    assert [name for name, _ in found.problems] == ["mcp.json"]


def test_lines() -> None:
    text = "\n# mine\nhttp://127.0.0.1:8000/mcp\n  https://example.org/mcp , Authorization: Bearer a:b ,X-Key:k\n"
    assert parse_server_lines(text) == (
        UrlServer("127.0.0.1:8000", "http://127.0.0.1:8000/mcp"),
        UrlServer("example.org", "https://example.org/mcp", (("Authorization", "Bearer a:b"), ("X-Key", "k"))),
    )


@pytest.mark.parametrize(
    "line",
    [
        "example.org/mcp",
        "file:///etc/passwd",
        "ftp://example.org",
        "http://",
        "http://[::1",
        "http://a:99999/",
        "http://a/,Authorization",
        "http://a/,: value",
        "http://a/,A\tB: value",
        "http://a/,A: va\x00lue",
        "http://a/,A: wört",
    ],
)
def test_bad_lines_are_refused_with_their_number(line: str) -> None:
    with pytest.raises(BadRequest, match="Line 2") as refusal:
        parse_server_lines(f"http://a/\n{line}")
    assert refusal.value.param == "mcp_servers"


def test_too_many_lines_are_refused() -> None:
    with pytest.raises(BadRequest, match="50 MCP servers"):
        parse_server_lines("\n".join(f"http://a/{number}" for number in range(51)))


def test_keys_stand_in_no_repr() -> None:
    [server] = parse_server_lines("http://user:pass@a/mcp?key=abc,Authorization: Bearer secret")
    assert repr(server) == "UrlServer(name='a')"
