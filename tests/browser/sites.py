"""Servers with a page: with a real model, or with the scripted one, each with user data of its own."""

import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.browser.warm_start import warm_launch
from tests.chat.test_tool_loop import TEMPLATE
from tests.live.server import ROOT, LiveServer
from tests.model_files import QWEN, SMOLLM2, model_path

_ANNOUNCED: Final = re.compile(r"^Web UI: (\S+)$", re.MULTILINE)
# Of what comes with the program; a developer's own files may lie beside it.
_SHIPPED: Final = (
    "characters/Assistant.yaml",
    "characters/Example.yaml",
    "characters/Example.png",
    "grammars/*.gbnf",
    "instruction-templates/ChatML.jinja",
    "presets/Deterministic.yaml",
    "presets/min_p.yaml",
    "tools/word_count.py",
    "users/Default.yaml",
)
_SETTINGS: Final[Mapping[str, Any]] = {
    "temperature": 0,
    "auto_max_new_tokens": False,
    "max_new_tokens": 40,
    "show_controls": True,
    "show_expert": True,
}


@dataclass(frozen=True, slots=True)
class Site:
    """A running server and its user data folder."""

    server: LiveServer
    data: Path

    @property
    def url(self) -> str:
        found = _ANNOUNCED.search(self.server.log)
        assert found is not None
        return found.group(1)

    @property
    def api(self) -> str:
        return f"{self.server.url}/v1"

    def chats(self, place: str = "instruct") -> list[Path]:
        """The files of past chats, newest name last."""
        return sorted((self.data / "logs" / place).rglob("*.json"))


@asynccontextmanager
async def scripted_site(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """Its model says what it is told to and can call tools; it needs no file. There is one chat from an earlier day."""
    keep_earlier_chat(folder)
    template = folder / "tools.jinja"
    template.write_text(TEMPLATE, encoding="utf-8")
    settings = {"auto_max_new_tokens": True, **settings}
    async with _site(folder, settings, "--loader", "scripted", "--chat-template-file", template) as site:
        yield site


def keep_earlier_chat(folder: Path) -> None:
    """In the user data of a site: the page opens with it."""
    earlier = folder / "logs" / "instruct" / "20260102-10-00-00.json"
    earlier.parent.mkdir(parents=True, exist_ok=True)
    words = [["Good morning", "Good morning to you"]]
    earlier.write_text(json.dumps({"internal": words, "visible": words}), encoding="utf-8")


def keep_no_chats(site: Site) -> None:
    """Nobody must have its page open."""
    shutil.rmtree(site.data / "logs", ignore_errors=True)


def keep_only_earlier_chat(site: Site) -> None:
    """The chats are those of a new site."""
    keep_no_chats(site)
    keep_earlier_chat(site.data)


@asynccontextmanager
async def real_site(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """SmolLM2 is loaded, Qwen2.5-Coder lies beside it."""
    models = folder / "models"
    models.mkdir()
    for name in (SMOLLM2, QWEN):
        (models / name).symlink_to(model_path(name))
    async with _site(folder, settings, "--model", SMOLLM2, "--ctx-size", 2048, "--threads", 1) as site:
        await site.server.until_healthy()
        yield site


@asynccontextmanager
async def _site(folder: Path, settings: Mapping[str, Any], *flags: object) -> AsyncIterator[Site]:
    for pattern in _SHIPPED:
        for file in (ROOT / "user_data").glob(pattern):
            copy = folder / file.relative_to(ROOT / "user_data")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    (folder / "settings.yaml").write_text(yaml.safe_dump({**_SETTINGS, **settings}), encoding="utf-8")
    server = warm_launch(folder, "--listen-port", 0, *flags)
    try:
        await server.until_listening()
        await server.until(lambda: _ANNOUNCED.search(server.log))
        yield Site(server, folder)
        await server.stop()
    finally:
        server.kill()
