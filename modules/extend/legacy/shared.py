"""`modules.shared` as old scripts know it: what is set, what is loaded, and names to put things under."""

import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from modules.extend.legacy.program import OldProgram
from modules.settings.values import OPTIONS, Settings


class Shared(ModuleType):
    """Its properties are what they are at the moment; whatever else scripts set on it stays as they set it."""

    def __init__(self, program: OldProgram) -> None:
        super().__init__("modules.shared")
        self._program = program
        self.args = Arguments(program.settings)
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


class Arguments:
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
