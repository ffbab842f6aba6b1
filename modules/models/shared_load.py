"""One attempt to load a model, for all who wait for it."""

import asyncio

from modules.models.loaded_model import LoadedModel


class SharedLoad:
    """Each who waits counts as a use of the model from the moment it is loaded."""

    def __init__(self) -> None:
        self.task: asyncio.Task[LoadedModel] | None = None
        self.loaded: LoadedModel | None = None
        self.waiting = 0

    def hand_over(self, loaded: LoadedModel) -> LoadedModel:
        self.loaded = loaded
        # Before any of them runs: otherwise another load could unload the model in between.
        loaded.claim(self.waiting)
        return loaded

    def leave(self) -> None:
        if self.loaded is not None:
            self.loaded.release()
        else:
            self.waiting -= 1
