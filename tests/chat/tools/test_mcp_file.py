"""Changes of mcp.json: what is added is read as written, and what others wrote stays."""

import json
from pathlib import Path

import pytest

from modules.chat.tools.mcp_file import McpFile
from modules.chat.tools.mcp_servers import CommandServer, UrlServer, read_server_file
from modules.chat.tools.toolbox import ToolBox
from modules.errors import BadRequest
from modules.paths import UserData


def test_servers_are_added_switched_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"theme": 1, "mcpServers": {"old": {"command": "x", "extra": 2}}}')
    file = McpFile(path)
    file.add("files", 'npx -y "a server" /data', "TOKEN=a=b")
    file.add("far", "https://example.org/mcp", "Authorization: Bearer x")
    assert read_server_file(path).servers == (
        CommandServer("old", "x"),
        CommandServer("files", "npx", ("-y", "a server", "/data"), (("TOKEN", "a=b"),)),
        UrlServer("far", "https://example.org/mcp", (("Authorization", "Bearer x"),)),
    )
    file.switch("old", is_on=False)
    assert file.names() == {"old": False, "files": True, "far": True}
    assert [server.name for server in read_server_file(path).servers] == ["files", "far"]
    file.switch("old", is_on=True)
    file.remove("files")
    content = json.loads(path.read_text())
    assert (content["theme"], content["mcpServers"]["old"]) == (1, {"command": "x", "extra": 2})
    assert file.names() == {"old": True, "far": True}


@pytest.mark.parametrize(
    ("name", "place", "more"),
    [("", "x", ""), ("a", "", ""), ("a", "'open", ""), ("a", "x", "no pair"), ("a\nb", "x", "")],
)
def test_what_is_no_server_is_refused_and_nothing_is_written(tmp_path: Path, name: str, place: str, more: str) -> None:
    with pytest.raises(BadRequest):
        McpFile(tmp_path / "mcp.json").add(name, place, more)
    assert not (tmp_path / "mcp.json").exists()


def test_a_damaged_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text("{broken")
    with pytest.raises(BadRequest):
        McpFile(path).add("a", "x")
    assert path.read_text() == "{broken"
    assert McpFile(path).names() == {}


async def test_a_dead_server_says_why_it_cannot_be_used(tmp_path: Path) -> None:
    data = UserData(tmp_path)
    McpFile(data.mcp).add("dead", "http://127.0.0.1:9/mcp?key=secret")
    box = ToolBox(data)
    try:
        (server,) = await box.servers()
        assert (server.name, server.tools, server.is_in_file) == ("dead", (), True)
        assert "cannot be reached" in server.problem
        assert "secret" not in server.place + server.problem
    finally:
        await box.aclose()
