"""The settings that the page can switch.

Only harmless ones: nothing here opens the program to others, runs code of models, or changes who may do what.
"""

from dataclasses import dataclass
from typing import Final

from modules.settings.values import OPTIONS, Settings

SWITCHES: Final = (
    "dark_theme",
    "show_controls",
    "paste_to_attachment",
    "show_two_notebook_columns",
    "auto_launch",
    "openai_debug",
    "verbose",
)
CHAT_STYLES: Final = (("Panel", "panel"), ("Bubbles", "bubbles"))


@dataclass(frozen=True, slots=True)
class Switch:
    """One checkbox; its label is what the setting's documentation says."""

    name: str
    label: str
    is_on: bool


def switches_of(settings: Settings) -> tuple[Switch, ...]:
    return tuple(
        Switch(name, OPTIONS[name].description.removesuffix("."), bool(getattr(settings, name))) for name in SWITCHES
    )
