"""The options of the scripted backend."""

from typing import ClassVar

from modules.settings.options import SettingsGroup, setting


class ScriptedOptions(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Scripted model"

    scripted_text_only: bool = setting(
        False,
        "The scripted model, which is for demonstrations and tests, reads no pictures and no sounds.",
        operator_only=True,
    )
