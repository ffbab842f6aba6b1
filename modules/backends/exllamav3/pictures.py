"""Pictures, as the model's own vision part turns them into tokens.

It computes on the card that the model computes on, so only while the model does not.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from PIL import Image

from modules.engine.media import cells
from modules.engine.types import Media, MediaKind, MediaShape, Prompt
from modules.errors import BadRequest

# One takes a megabyte or so; with its object a prefix that holds it is found in the cache again.
_KEPT: Final = 64
# Of so many sizes it is remembered what stands for them.
_KNOWN_SIZES: Final = 256
_CELL: Final = -1


class VisionReader:
    """`vision` is the library's model for pictures, `tokenizer` the library's own. Whoever computes holds `lock`. Every
    method may be called from any thread."""

    def __init__(self, vision: Any, tokenizer: Any, lock: threading.Lock) -> None:
        self._vision = vision
        self._tokenizer = tokenizer
        self._lock = lock
        self._own = threading.Lock()
        self._patterns: OrderedDict[tuple[int, int], tuple[int, ...]] = OrderedDict()
        self._read: OrderedDict[bytes, Any] = OrderedDict()

    def media_tokens(self, shape: MediaShape) -> list[int]:
        """What stands for a picture depends on its size only; of a new size a blank one is read."""
        if shape.kind is not MediaKind.IMAGE:
            raise BadRequest("This model reads pictures, but no sounds.", param="messages", code="audio_not_supported")
        size = shape.width, shape.height
        with self._own:
            known = self._patterns.get(size)
        pattern = known if known is not None else self._remember(size, self._embedded(Image.new("RGB", size)))
        count = sum(token == _CELL for token in pattern)
        ids = iter(cells(shape.digest, count))
        return [next(ids) if token == _CELL else token for token in pattern]

    def knows(self, prompt: Prompt) -> bool:
        with self._own:
            return all(media.digest in self._read for media in prompt.media)

    def embeddings(self, prompt: Prompt) -> list[Any]:
        """The library's objects for the pictures of a prompt, each once. May take long."""
        return [self._embedding(media) for media in dict.fromkeys(prompt.media)]

    def ids(self, prompt: Prompt, embeddings: Sequence[Any]) -> list[int]:
        """The prompt with the ids by which the library knows each row of `embeddings`. Raises BadRequest."""
        of_media = dict(zip(dict.fromkeys(media.digest for media in prompt.media), embeddings, strict=True))
        rows = (token for media in prompt.media for token in _rows(of_media[media.digest]))
        found = [token if token >= 0 else next(rows, _CELL) for token in prompt.tokens]
        if _CELL in found or next(rows, None) is not None:
            raise BadRequest("The prompt's cells are not those of its pictures.", param="prompt")
        return found

    def close(self) -> None:
        self._read.clear()
        self._vision.unload()

    def _embedding(self, media: Media) -> Any:
        with self._own:
            if (found := self._read.get(media.digest)) is not None:
                self._read.move_to_end(media.digest)
                return found
        picture = Image.frombytes("RGB", (media.width, media.height), media.data)
        made = self._embedded(picture)
        self._remember((media.width, media.height), made)
        with self._own:
            # Another thread may have been faster: a prefix is found again by the same object only.
            made = self._read.setdefault(media.digest, made)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return made

    def _embedded(self, picture: Image.Image) -> Any:
        with self._lock:
            return self._vision.get_image_embeddings(self._tokenizer, picture)

    def _remember(self, size: tuple[int, int], embedding: Any) -> tuple[int, ...]:
        rows = set(_rows(embedding))
        pattern = tuple(_CELL if token in rows else token for token in embedding.token_list)
        with self._own:
            self._patterns[size] = pattern
            if len(self._patterns) > _KNOWN_SIZES:
                self._patterns.popitem(last=False)
        return pattern


def _rows(embedding: Any) -> Iterator[int]:
    listed: Iterable[int] = embedding.token_list
    return (token for token in listed if embedding.first_index <= token < embedding.last_index)
