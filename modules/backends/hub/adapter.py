"""LoRA adapters in the format of PEFT: a folder each."""

from pathlib import Path
from typing import Final

from modules.backends.hub_folder import read_json
from modules.engine.types import Adapter
from modules.errors import LoadFailed

_CONFIG: Final = "adapter_config.json"
_WEIGHTS: Final = "adapter_model.safetensors"
_KIND: Final = "LORA"


def check_adapter(adapter: Adapter) -> None:
    """Raises LoadFailed for what is no LoRA adapter in PEFT's format, or would have to be unpickled."""
    folder = Path(adapter.path)
    if not folder.is_dir():
        raise LoadFailed(
            f"The adapter {adapter.name} is not in PEFT's format: a folder with {_CONFIG} and {_WEIGHTS}. Put that folder into "
            "the folder of the adapters."
        )
    kind = read_json(folder / _CONFIG).get("peft_type")
    if kind != _KIND:
        raise LoadFailed(f"{adapter.name} is no LoRA adapter; PEFT calls it {str(kind)[:40]!a}.")
    if not (folder / _WEIGHTS).is_file():
        raise LoadFailed(
            f"The adapter {adapter.name} has no {_WEIGHTS}. Pickles are never read: convert it to safetensors."
        )
