"""What the scripted backend does on request."""

import pytest

from modules.engine.types import Finish
from tests.scripted import scripted_engine
from tests.streams import asking, reply, whole


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("echo: a  b", "a  b"),
        ("count 3", "1 2 3"),
        ("slow 3", "abc"),
        ("Good morning", "You said: Good morning"),
        ("count 3\n\ncount 4", "1 2 3 4"),
        ("<note>Be kind.</note>\ncount 3\n<note>Now.</note>", "1 2 3"),
        ("Do this:\necho: hello\nand that", "hello"),
        ("echo: hello\ncount 3", "hello\ncount 3"),
        ("count me in", "You said: count me in"),
        ("echo: ", "You said: echo:"),
    ],
)
async def test_commands(words: str, answer: str) -> None:
    async with scripted_engine() as engine:
        assert (await reply(engine, words)).strip() == answer.removeprefix("You said: echo:")


async def test_the_last_thing_a_user_said_counts() -> None:
    chat = (
        "<|im_start|>user\necho: first<|im_end|>\n<|im_start|>assistant\nfirst<|im_end|>\n"
        "<|im_start|>user\necho: last<|im_end|>\n<|im_start|>assistant\n"
    )
    async with scripted_engine() as engine:
        assert await reply(engine, chat) == "last"


async def test_a_reply_that_may_not_end_goes_on_with_dots() -> None:
    async with scripted_engine() as engine:
        answer = await whole(engine, asking("echo: so", ignore_eos=True, max_tokens=5))
        assert (answer.text, answer.finish) == ("so...", Finish.LENGTH)
        assert await reply(engine, "echo: so", min_tokens=4) == "so.."
