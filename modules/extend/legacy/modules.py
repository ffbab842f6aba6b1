"""The modules that old scripts import, made anew for one program; `modules.shared` among them."""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from modules.extend.discovery import found_extensions
from modules.extend.legacy.program import OldProgram
from modules.extend.legacy.text import Texts
from modules.paths import atomic_write, inside_tree
from modules.settings.values import OPTIONS, Settings


class Shared(ModuleType):
    """Its properties are what they are at the moment; whatever else scripts set on it stays as they set it."""

    def __init__(self, program: OldProgram) -> None:
        super().__init__("modules.shared")
        self._program = program
        self.args = OldArguments(program.settings)
        self.settings = _by_key(program)
        self.gradio = program.components
        self.input_params: list[Any] = []
        self.reload_inputs: list[Any] = []
        self.persistent_interface_state: dict[str, Any] = {}
        self.generation_lock = threading.Lock()
        self.stop_everything = False
        self.is_seq2seq = False
        self.processing_message = ""

    @property
    def model_name(self) -> str:
        return self._program.runtime.models.state.name or "None"

    @property
    def model(self) -> object | None:
        """Something while a model is loaded, else None; the model itself runs in a process of its own."""
        return self._program.runtime.models.state.card

    @property
    def lora_names(self) -> list[str]:
        card = self._program.runtime.models.state.card
        return list(card.adapters) if card else []

    @property
    def tokenizer(self) -> "OldTokenizer | None":
        return OldTokenizer(self._program) if self.model else None


class OldArguments:
    """The command line's flags by their names; what is no flag here is None."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the setting holds
        value = getattr(self._settings, name, None)
        return list(value) if isinstance(value, tuple) else value


class OldTokenizer:
    """The loaded model's, asked for over the event loop; scripts call it from their threads."""

    def __init__(self, program: OldProgram) -> None:
        self._program = program

    @property
    def eos_token_id(self) -> int | None:
        card = self._program.runtime.models.state.card
        return card.eos_ids[0] if card and card.eos_ids else None

    @property
    def bos_token_id(self) -> int | None:
        card = self._program.runtime.models.state.card
        return card.bos_id if card else None

    def encode(self, text: str, *, add_special_tokens: bool = True, **_: object) -> list[int]:
        return self._program.wait(self._program.runtime.chat.encode(str(text), add_bos=add_special_tokens))

    def decode(self, tokens: Sequence[int], **_: object) -> str:
        return self._program.wait(self._program.runtime.chat.decode([int(token) for token in tokens]))


def _by_key(program: OldProgram) -> dict[str, Any]:
    """As in settings.yaml."""
    return {option.key: getattr(program.settings, name) for name, option in OPTIONS.items() if not option.secret}


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
