"""Coding agents as their users start them: where they are told of the server, and what they call their shell."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
MODEL: Final = "local"
_SERVERS: Final[dict[str, Any]] = {"mini": {"command": sys.executable, "args": [str(HERE / "mcp_server.py")]}}
_CODEX: Final = f"""
model = "{MODEL}"
model_provider = "{MODEL}"
[model_providers.{MODEL}]
name = "{MODEL}"
base_url = "%s/v1"
wire_api = "responses"
env_key = "OPENAI_API_KEY"
[mcp_servers.mini]
command = {json.dumps(sys.executable)}
args = [{json.dumps(str(HERE / "mcp_server.py"))}]
"""
_CONTINUE: Final = f"""
name: {MODEL}
version: 1.0.0
schema: v1
models:
  - name: {MODEL}
    provider: openai
    model: {MODEL}
    apiBase: %s/v1
    apiKey: sk-any
    roles: [chat]
    capabilities: [tool_use]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """`command` begins one run whose task comes on stdin; `files` are written below its home for the server's address.

    `shell` makes the arguments of a call that runs a command line with the tool `shell_tool`.
    """

    name: str
    command: tuple[str, ...]
    files: Callable[[str], Mapping[str, str]] = lambda url: {}
    variables: Callable[[str], Mapping[str, str]] = lambda url: {}
    shell_tool: str
    shell: Callable[[str], dict[str, Any]] = field(default=lambda line: {"command": line})
    mcp_tool: str | None = None
    schema: Callable[[Path], Sequence[str]] | None = None

    def call(self, line: str) -> str:
        """A call of its shell, as the strict template has calls written."""
        return written_call(self.shell_tool, self.shell(line))


def written_call(name: str, arguments: Mapping[str, Any]) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


def _opencode_settings(url: str) -> Mapping[str, str]:
    model = {"name": MODEL, "tool_call": True, "limit": {"context": 200_000, "output": 4_000}}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": MODEL,
        "options": {"baseURL": f"{url}/v1", "apiKey": "sk-any"},
        "models": {MODEL: model},
    }
    server = _SERVERS["mini"]
    settings = {
        "autoupdate": False,
        "share": "disabled",
        "model": f"{MODEL}/{MODEL}",
        "small_model": f"{MODEL}/{MODEL}",
        "provider": {MODEL: provider},
        "mcp": {"mini": {"type": "local", "command": [server["command"], *server["args"]]}},
    }
    return {".config/opencode/opencode.json": json.dumps(settings)}


def _claude_variables(url: str) -> Mapping[str, str]:
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "ENABLE_TOOL_SEARCH": "false"}
    return {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sk-any", **quiet}


CODEX: Final = Agent(
    name="codex",
    command=("codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
    files=lambda url: {".codex/config.toml": _CODEX % url},
    variables=lambda url: {"OPENAI_API_KEY": "sk-any"},
    shell_tool="exec_command",
    shell=lambda line: {"cmd": line},
    mcp_tool="mcp__mini__total",
    schema=lambda path: ("--output-schema", str(path)),
)
CLAUDE: Final = Agent(
    name="claude",
    command=(
        *("claude", "--print", "--model", MODEL, "--allowedTools", "Bash,mcp__mini__total"),
        *("--mcp-config", json.dumps({"mcpServers": _SERVERS}), "--strict-mcp-config"),
    ),
    variables=_claude_variables,
    shell_tool="Bash",
    shell=lambda line: {"command": line, "description": "Runs the command"},
    mcp_tool="mcp__mini__total",
)
OPENCODE: Final = Agent(
    name="opencode",
    command=("opencode", "run"),
    files=_opencode_settings,
    shell_tool="bash",
    mcp_tool="mini_total",
)
QWEN_CODE: Final = Agent(
    name="qwen",
    command=("qwen", "--auth-type", "openai", "--yolo"),
    variables=lambda url: {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "sk-any", "OPENAI_MODEL": MODEL},
    shell_tool="run_shell_command",
    # It offers tools of servers by way of a search of its own, so none of their names is offered to the model.
    shell=lambda line: {"command": line, "is_background": False},
)
CONTINUE: Final = Agent(
    name="cn",
    command=("cn", "--print", "--auto", "--config", ".continue/config.yaml"),
    files=lambda url: {".continue/config.yaml": _CONTINUE % url},
    shell_tool="Bash",
)
AGENTS: Final = (CODEX, CLAUDE, OPENCODE, QWEN_CODE, CONTINUE)
