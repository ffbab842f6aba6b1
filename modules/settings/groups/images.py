"""The settings of pictures that are made: which are kept, what they say, how many may wait."""

from typing import ClassVar

from modules.settings.options import SettingsGroup, setting


class ImageSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Images"

    image_keep: bool = setting(
        True,
        "Keep the pictures that the Images tab makes in the folder image_outputs of the user data folder, as those of chats are.",
    )
    image_keep_api: bool = setting(False, "Keep those that are made through the API too.")
    image_metadata: bool = setting(
        True, "Write into each PNG how it was made, with its prompt, so that it can be made again."
    )
    image_max_queue: int = setting(
        16, "Requests for pictures that may wait while one is drawn; more are refused with 429.", ge=0
    )
    image_terminal: bool = setting(True, "Show the progress of drawings in the terminal.")
