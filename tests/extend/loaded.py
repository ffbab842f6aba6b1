"""Extensions in a folder of a test, and a runtime with them over the scripted backend."""

import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from modules.extend.extensions import Extensions
from modules.extend.loader import load_extensions
from modules.messages import Message, Role, text_message
from modules.models.loading import launch_in_process
from modules.reply.gather import Choice, gather
from modules.requests import ChatRequest
from modules.runtime import Runtime
from modules.settings.values import Settings

OLD_SCRIPTS: Final = Path(__file__).parent / "old_scripts"


def write_extension(folder: Path, name: str, script: str) -> None:
    """A user's extension in the user data folder `folder`."""
    target = folder / "extensions" / name
    target.mkdir(parents=True)
    (target / "script.py").write_text(script, encoding="utf-8")


def copy_old_script(folder: Path, name: str) -> None:
    """The scripts of the tests are no part of this program, so that its tools do not look at them as such."""
    target = folder / "extensions" / name
    target.mkdir(parents=True)
    for file in (OLD_SCRIPTS / name).glob("*.txt"):
        shutil.copy(file, target / file.name.removesuffix(".txt"))


def settings_of(folder: Path, *extensions: str, **changes: Any) -> Settings:
    values = {"loader": "scripted", "user_data_dir": folder, "extensions": extensions, "nowebui": True, **changes}
    return Settings.model_validate(values)


def script_of(folder: Path, name: str) -> ModuleType:
    """The module of a user's extension that has been loaded."""
    file = str(folder / "extensions" / name / "script.py")
    [found] = [module for module in tuple(sys.modules.values()) if getattr(module, "__file__", None) == file]
    return found


@asynccontextmanager
async def running(
    settings: Settings, load: Callable[[Settings], Extensions] = load_extensions
) -> AsyncIterator[tuple[Runtime, Extensions]]:
    extensions = load(settings)
    runtime = Runtime(settings, hooks=extensions.hooks, launch=launch_in_process)
    async with runtime, extensions.running(runtime):
        yield runtime, extensions


def conversation(*words: str) -> tuple[Message, ...]:
    """The user speaks first and last."""
    roles = (Role.USER, Role.ASSISTANT)
    return tuple(text_message(roles[number % 2], text) for number, text in enumerate(words))


async def reply(runtime: Runtime, *words: str, **options: Any) -> Choice:
    request = ChatRequest(model=None, messages=conversation(*words), **options)
    return (await gather(runtime.chat.chat(request, owner="me"))).choices[0]
