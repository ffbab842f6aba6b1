"""The modules that old scripts import, made anew for one program: each function works through what really runs."""

import logging
import re
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from modules.extend.discovery import found_extensions
from modules.extend.legacy.program import OldProgram
from modules.extend.legacy.shared import Shared
from modules.extend.legacy.text import Texts
from modules.paths import atomic_write, inside_tree

_DIGITS = re.compile(r"(\d+)")


def old_modules(program: OldProgram) -> dict[str, ModuleType]:
    """By their full names; `modules` itself has the others as its attributes."""
    texts = Texts(program)
    shared = Shared(program)
    contents: dict[str, dict[str, Any]] = {
        "chat": texts.chat_functions(),
        "text_generation": texts.generation_functions(),
        "extensions": _extensions(program),
        "models": _models(program),
        "ui": _ui(program),
        "ui_chat": {"inputs": (), "reload_arr": (), "clear_arr": ()},
        "html_generator": _html(),
        "logging_colors": {"logger": logging.getLogger("extensions")},
        "utils": _utils(program),
    }
    modules: dict[str, ModuleType] = {
        f"modules.{name}": _module(f"modules.{name}", content) for name, content in contents.items()
    }
    modules["modules.shared"] = shared
    root = _module("modules", {name.removeprefix("modules."): module for name, module in modules.items()})
    return {"modules": root, **modules}


def _module(name: str, content: dict[str, Any]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    return module


def _extensions(program: OldProgram) -> dict[str, Any]:
    def apply_extensions(kind: str, *args: Any, **offered: Any) -> Any:  # noqa: ANN401 - as the functions have it
        """Run the functions of that kind that change a text, one after the other."""
        text, *rest = args
        for script in program.scripts:
            if function := script.function(f"{kind}_modifier"):
                text = function(text, *rest, **offered)
        return text

    def iterator() -> list[tuple[ModuleType, str]]:
        return [(script.module, script.name) for script in program.scripts]

    names = [found.name for found in found_extensions(program.settings.user_data)]
    return {"apply_extensions": apply_extensions, "iterator": iterator, "available_extensions": names, "state": {}}


def _models(program: OldProgram) -> dict[str, Any]:
    def unload_model(keep_model_name: bool = False) -> None:
        program.wait(program.runtime.models.unload())

    return {"unload_model": unload_model}


def _ui(program: OldProgram) -> dict[str, Any]:
    def create_refresh_button(
        component: Any,  # noqa: ANN401 - Gradio's, or several of them
        refresh: Callable[[], object],
        arguments: Callable[[], dict[str, Any]] | dict[str, Any],
        elem_class: str,
        interactive: bool = True,
    ) -> Any:  # noqa: ANN401 - a button
        """Whoever builds parts of a page has imported Gradio."""
        gradio = sys.modules["gradio"]
        components = component if isinstance(component, list) else [component]

        def act() -> Any:  # noqa: ANN401 - one update, or one for each
            refresh()
            updates = [gradio.update(**(arguments() if callable(arguments) else arguments)) for _ in components]
            return updates if len(updates) > 1 else updates[0]

        button = gradio.Button("↻", elem_classes=elem_class, interactive=interactive)
        button.click(act, [], components)
        return button

    return {
        "create_refresh_button": create_refresh_button,
        "list_interface_input_elements": lambda: list(program.components),
        "gather_interface_values": lambda *values: dict(zip(program.components, values, strict=False)),
    }


def _html() -> dict[str, Any]:
    """Scripts ask for markup of a text; the page makes that itself."""

    def convert_to_markdown(text: str, message_id: str | None = None) -> str:
        return text

    return {"convert_to_markdown": convert_to_markdown, "convert_to_markdown_wrapped": convert_to_markdown}


def _utils(program: OldProgram) -> dict[str, Any]:
    data = program.settings.user_data

    def gradio(*names: Any) -> Any:  # noqa: ANN401 - one component, or a list of them
        if len(names) == 1 and isinstance(names[0], str):
            return program.components[names[0]]
        wanted = names[0] if len(names) == 1 else names
        return [program.components[name] for name in wanted]

    def save_file(name: str, contents: str) -> None:
        """Only below the folder of the user's data. Raises BadRequest."""
        relative = str(name).removeprefix(f"{data.root}/").removeprefix("user_data/")
        atomic_write(inside_tree(data.root, relative), contents)

    def natural_keys(text: str) -> list[Any]:
        return [int(part) if part.isdigit() else part for part in _DIGITS.split(text)]

    return {
        "gradio": gradio,
        "save_file": save_file,
        "natural_keys": natural_keys,
        "current_time": lambda: time.strftime("%Y-%m-%d_%Hh%Mm%Ss"),
        "get_available_models": lambda: list(program.runtime.models.list_models()),
        "get_available_loras": lambda: list(program.runtime.models.list_adapters()),
        "get_available_characters": lambda: list(program.runtime.library.characters.names()),
        "get_available_presets": lambda: list(program.runtime.library.presets.names()),
        "get_available_extensions": lambda: [found.name for found in found_extensions(data)],
    }
