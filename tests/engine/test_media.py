"""Pictures and sounds in prompts: the cells that stand for them, and their way to the model's process."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from modules.engine import wire
from modules.engine.media import SentMedia, cells, count_cells
from modules.engine.process import ProcessEngine
from modules.engine.protocols import Engine
from modules.engine.types import Generation, Media, MediaKind, Prompt
from modules.errors import BadRequest
from tests.media_samples import picture, sound
from tests.scripted import scripted_engine, scripted_spec
from tests.streams import whole

RED, BLUE = picture((255, 0, 0)), picture((0, 0, 255), 64, 20)


class CountingEngine(ProcessEngine):
    """Counts the messages that it sends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: Counter[str] = Counter()
        super().__init__(*args, **kwargs)
        self._send_frame = self._child.send
        self._child.send = self._count  # type: ignore[method-assign]

    def _count(self, frame: bytearray) -> None:
        for kind in ("KeepMedia", "DropMedia", "Submit"):
            self.sent[kind] += kind.encode() in frame[:64]
        self._send_frame(frame)


async def asking_about(engine: Engine, *parts: str | Media) -> Generation:
    tokens: list[int] = []
    for part in parts:
        if isinstance(part, str):
            tokens += await engine.tokenize(part, special=True)
        else:
            tokens += await engine.media_tokens(part.shape)
    return Generation(prompt=Prompt(tuple(tokens), tuple(part for part in parts if isinstance(part, Media))))


def test_pictures_differ_in_their_cells() -> None:
    first, second = (cells(each.digest, 4) for each in (RED, picture((255, 0, 0), change=7)))
    assert not set(first) & set(second)
    assert all(-(2**31) <= cell < 0 for cell in (*first, *second))
    assert first == cells(RED.digest, 4)
    assert len(set(cells(RED.digest, 100))) == 8


def test_cells_are_counted_by_kind() -> None:
    hum = sound([0.0] * 160, 16_000)
    tokens = [1, *cells(RED.digest, 3), 2, *cells(hum.digest, 5), *cells(RED.digest, 3)]
    prompt = Prompt(tuple(tokens), (RED, hum, RED))
    assert count_cells(prompt, MediaKind.IMAGE) == 6
    assert count_cells(prompt, MediaKind.AUDIO) == 5
    assert count_cells(Prompt((1, 2)), MediaKind.IMAGE) == 0


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    first, second, third = (picture((shade, 0, 0)) for shade in (1, 2, 3))
    sent = SentMedia(bound=2 * len(first.data))
    assert sent.missing([first, second, first]) == [first, second]
    assert sent.use([first, second, first]) == []
    assert sent.missing([first]) == []
    assert sent.use([third]) == [second.digest]
    assert sent.missing([first, second, third]) == [second]


def test_what_one_request_needs_is_kept_however_much_it_is() -> None:
    pictures = [picture((shade, 0, 0)) for shade in range(5)]
    sent = SentMedia(bound=1)
    assert sent.use(pictures) == []
    assert set(sent.use([RED])) == {each.digest for each in pictures}


async def test_the_scripted_model_says_what_it_sees_in_order() -> None:
    async with scripted_engine() as engine:
        hum = sound([0.0] * 24_000, 16_000)
        chunk = await whole(engine, await asking_about(engine, "echo: first ", RED, " then ", BLUE, hum))
    assert chunk.text == "first [image 40x30 #ff0000] then [image 64x20 #0000ff][audio 1.50 s]"
    assert chunk.usage is not None
    assert (chunk.usage.image_tokens, chunk.usage.audio_tokens) == (2 + 2, 15)
    assert chunk.usage.prompt_tokens == len("echo: first  then ") + 4 + 15


async def test_a_model_of_text_alone_refuses_them() -> None:
    async with scripted_engine(scripted_spec(options={"scripted_text_only": True})) as engine:
        assert engine.card.modalities == ("text",)
        with pytest.raises(BadRequest, match="cannot read pictures") as refused:
            await whole(engine, Generation(prompt=Prompt((1, *cells(RED.digest, 2)), (RED,))))
    assert refused.value.code == "image_not_supported"


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt((1, *cells(RED.digest, 2), 2)),
        Prompt((1, 2), (RED,)),
        Prompt((1, *cells(RED.digest, 1), 2), (RED,)),
        Prompt((1, *cells(RED.digest, 3), 2), (RED,)),
        Prompt((1, *cells(BLUE.digest, 2), 2), (RED,)),
    ],
    ids=["no picture", "no cells", "too few", "too many", "of another"],
)
async def test_cells_that_belong_to_no_picture_are_refused(prompt: Prompt) -> None:
    async with scripted_engine() as engine:
        with pytest.raises(BadRequest):
            await whole(engine, Generation(prompt=prompt))


async def test_the_process_is_sent_a_picture_once() -> None:
    engine = await CountingEngine.probe(scripted_spec())
    assert isinstance(engine, CountingEngine)
    try:
        await engine.load(lambda fraction: None)
        asked = await asking_about(engine, "echo: ", RED, BLUE, RED)
        said = [chunk.text for chunk in await asyncio.gather(*(whole(engine, asked) for _ in range(3)))]
        assert said == ["[image 40x30 #ff0000][image 64x20 #0000ff][image 40x30 #ff0000]"] * 3
        assert engine.sent == {"KeepMedia": 2, "Submit": 3, "DropMedia": 0}
    finally:
        await engine.aclose()


async def test_a_forgotten_picture_is_sent_again() -> None:
    engine = await CountingEngine.probe(scripted_spec())
    assert isinstance(engine, CountingEngine)
    engine._sent_media = SentMedia(bound=len(RED.data))
    try:
        await engine.load(lambda fraction: None)
        for media, said in ((RED, "[image 40x30 #ff0000]"), (BLUE, "[image 64x20 #0000ff]")) * 2:
            assert (await whole(engine, await asking_about(engine, "echo: ", media))).text == said
        assert engine.sent == {"KeepMedia": 4, "Submit": 4, "DropMedia": 3}
    finally:
        await engine.aclose()


def test_a_large_picture_has_a_frame() -> None:
    huge = picture((1, 2, 3), 4000, 4000)
    assert len(wire.pack_to_worker(wire.KeepMedia(huge))) > len(huge.data)
