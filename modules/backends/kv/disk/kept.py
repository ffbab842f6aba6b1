"""What model processes keep on disk, as the server sees it."""

import asyncio
from pathlib import Path

from modules.backends.kv.disk.folder import CacheCounts, prefix_folder
from modules.errors import Busy


class KeptPrefixes:
    """In `cache`, the folder for what is computed. It is the same whether a model is loaded, and keeps anything, or not."""

    def __init__(self, cache: Path) -> None:
        self._folder = prefix_folder(cache)

    def size(self) -> int:
        """In bytes."""
        return self._folder.kept_bytes()

    def counts(self) -> CacheCounts:
        return self._folder.counts()

    async def delete(self) -> int:
        """All of it; returns how many bytes that were. A model process that uses it goes on with an empty folder, and
        writes nothing of before. Raises Busy."""
        try:
            return await asyncio.to_thread(self._folder.clear)
        except OSError as error:
            raise Busy("The cache on disk cannot be deleted while other programs use its files. Try again.") from error
