"""The tokenizer of a model that reads pictures."""

from modules.backends.hub.tokenizer import HubTokenizer
from modules.backends.hub_folder import ModelFolder
from modules.backends.transformers.pictures.cells import PictureCells
from modules.engine.types import MediaShape


class HubMediaTokenizer(HubTokenizer):
    def __init__(self, folder: ModelFolder, width: int, pictures: PictureCells) -> None:
        super().__init__(folder, width)
        self._pictures = pictures

    def media_tokens(self, shape: MediaShape) -> list[int]:
        return self._pictures.media_tokens(shape)
