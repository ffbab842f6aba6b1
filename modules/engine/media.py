"""The cells that stand for pictures and sounds in prompts, and which media a process has."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from modules.engine.protocols import MediaTokenizer, Tokenizer
from modules.engine.types import Generation, Job, Media, MediaKind, MediaShape, Prompt
from modules.errors import BadRequest

# Ids are 32-bit integers in caches of prompts, so one alone could be met again by chance or on purpose; eight in turn are
# as good as the digest that they are made from.
_WORD_BYTES: Final = 4
_POSITIVE: Final = 0x7FFFFFFF
# A process that is sent more forgets what was used longest ago, and is sent it again when it is needed.
KEPT_BYTES: Final = 128 * 2**20


def cell_ids(digest: bytes) -> tuple[int, ...]:
    """The ids below 0 that the cells of one picture or sound have, in turn."""
    words = [digest[at : at + _WORD_BYTES] for at in range(0, len(digest), _WORD_BYTES)]
    return tuple(-1 - (int.from_bytes(word, "big") & _POSITIVE) for word in words)


def cells(digest: bytes, count: int) -> list[int]:
    """The ids of a run of `count` cells."""
    ids = cell_ids(digest)
    return [ids[index % len(ids)] for index in range(count)]


def count_cells(prompt: Prompt, kind: MediaKind) -> int:
    """How many tokens of the prompt stand for media of `kind`."""
    ids = {cell for media in prompt.media if media.kind is kind for cell in cell_ids(media.digest)}
    return sum(token in ids for token in prompt.tokens) if ids else 0


def check_media(generation: Generation, modalities: Sequence[str]) -> None:
    """Raises BadRequest for media of a kind that the model does not read, and for prompts that cannot be scored for them."""
    media = generation.prompt.media
    for each in media:
        if each.kind not in modalities:
            raise unreadable(each.kind)
    if media and generation.prompt_logprobs is not None:
        raise BadRequest(
            "A prompt with pictures or sounds cannot be scored. Leave out echo, or logprobs with it.", param="echo"
        )


def unreadable(kind: MediaKind, *, param: str = "messages") -> BadRequest:
    things, sense = {MediaKind.IMAGE: ("pictures", "see"), MediaKind.AUDIO: ("sounds", "hear")}[kind]
    return BadRequest(
        f"The loaded model cannot read {things}. Load a model that can {sense}: one with its projector (a file with mmproj "
        "in its name) beside it, in user_data/mmproj, or named by --mmproj, or a folder of a model that has that part.",
        param=param,
        code=f"{kind}_not_supported",
    )


class SentMedia:
    """What a model process keeps, as its parent knows it: media that are sent once and named by their digests after
    that, those that were used longest ago forgotten beyond `bound` bytes."""

    def __init__(self, bound: int = KEPT_BYTES) -> None:
        self._bound = bound
        self._sizes: OrderedDict[bytes, int] = OrderedDict()

    def missing(self, media: Sequence[Media]) -> list[Media]:
        """Those that have to be sent first, each once."""
        return list({each.digest: each for each in media if each.digest not in self._sizes}.values())

    def use(self, media: Sequence[Media]) -> list[bytes]:
        """`media` are there now; returns the digests of those that the process shall forget in their favour."""
        for each in media:
            self._sizes[each.digest] = self._sizes.pop(each.digest, len(each.data))
        total, needed = sum(self._sizes.values()), {each.digest for each in media}
        forgotten: list[bytes] = []
        for digest, size in self._sizes.items():
            if total <= self._bound or digest in needed:
                break
            forgotten.append(digest)
            total -= size
        for digest in forgotten:
            del self._sizes[digest]
        return forgotten


def without_data(job: Job) -> Job:
    return _with_media(job, (replace(media, data=b"") for media in job.generation.prompt.media))


def with_data(job: Job, kept: Mapping[bytes, Media]) -> Job:
    """What `without_data` was given. Raises KeyError for a digest that is not kept."""
    return _with_media(job, (kept[media.digest] for media in job.generation.prompt.media))


def _with_media(job: Job, media: Iterator[Media]) -> Job:
    prompt = replace(job.generation.prompt, media=tuple(media))
    return replace(job, generation=replace(job.generation, prompt=prompt))


def media_tokens(tokenizer: Tokenizer, shape: MediaShape) -> list[int]:
    """As in `Engine`."""
    if isinstance(tokenizer, MediaTokenizer):
        return tokenizer.media_tokens(shape)
    raise unreadable(shape.kind)
