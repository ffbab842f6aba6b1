"""The bytes of what requests hold or name."""

import asyncio

from modules.media.pictures.data_urls import bytes_in, is_remote
from modules.media.pictures.fetching import RemoteBytes


class Sources:
    """Data URLs, base64, and addresses as far as `remote` fetches them, by default none."""

    def __init__(self, remote: RemoteBytes | None = None) -> None:
        self._remote = remote or RemoteBytes(is_allowed=False)

    async def content(self, source: str, *, param: str) -> bytes:
        """Raises BadRequest."""
        if is_remote(source):
            return await self._remote.get(source.strip(), param=param)
        return await asyncio.to_thread(bytes_in, source, param=param)
