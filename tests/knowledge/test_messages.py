"""What goes with a message: collections named in it or chosen, and files that do not fit the context."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from modules.chat.attachments.attachments import read_attachment
from modules.chat.citations import citations_of, is_in_passages
from modules.chat.session import session
from modules.knowledge.messages import KnowledgeMessages
from modules.library.chats.history import Attachment, History
from modules.runtime import Runtime
from tests.chat.attachment_files import pdf
from tests.models.launches import scripted_settings

CONTEXT = 4096


@pytest_asyncio.fixture
async def messages(tmp_path: Path) -> AsyncIterator[KnowledgeMessages]:
    settings = scripted_settings(tmp_path, user_data_dir=tmp_path / "data", openai_embedding_model="none")
    async with Runtime(settings) as runtime:
        for name, text in {"tower": "The clock strikes twelve.", "Garden": "Roses bloom in June."}.items():
            runtime.knowledge.collections.create(name)
            runtime.knowledge.collections.add(name, "a.txt", text.encode())
        yield KnowledgeMessages(runtime.knowledge)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("#tower what time?", ["tower"]),
        ("see #garden, and (#tower)!", ["Garden", "tower"]),
        ("issue#tower", []),
        ("# tower", []),
        ("#unknown #1", []),
    ],
)
async def test_collections_are_named_in_messages(messages: KnowledgeMessages, text: str, names: list[str]) -> None:
    assert await messages.named_in(text) == names


async def test_passages_are_numbered_through_the_chat_and_given_once(messages: KnowledgeMessages) -> None:
    first = await messages.prepared(History(), "#tower clock?", [], collections=[], context=CONTEXT)
    history = session.with_reply(session.with_message(History(), "#tower clock?", attachments=first), "Twelve [1].")
    assert [each.text for each in citations_of(history).values()] == ["The clock strikes twelve."]
    both = await messages.prepared(history, "clock and roses?", [], collections=["tower", "Garden"], context=CONTEXT)
    history = session.with_message(history, "clock and roses?", attachments=both)
    assert {number: each.source for number, each in citations_of(history).items()} == {
        1: "tower/a.txt",
        2: "Garden/a.txt",
    }


async def test_nothing_is_added_where_nothing_is_asked_for(messages: KnowledgeMessages) -> None:
    small = Attachment(name="note.txt", type="text/plain", content="A short note.")
    assert await messages.prepared(History(), "hello", [small], collections=["gone"], context=CONTEXT) == [small]


async def test_a_long_file_is_read_in_passages_in_later_turns_too(messages: KnowledgeMessages) -> None:
    pages = [f"Chapter {number} tells of {'sheep ' * 300}" for number in range(1, 40)]
    pages[29] = f"The password is swordfish {'grass ' * 300}"
    book = await read_attachment("book.pdf", pdf(*pages))
    short = Attachment(name="note.txt", type="text/plain", content="A short note.")
    attachments = await messages.prepared(
        History(), "What is the password?", [book, short], collections=[], context=CONTEXT
    )
    assert [is_in_passages(each) for each in attachments] == [True, False, False]
    history = session.with_message(History(), "What is the password?", attachments=attachments)
    found = [each for each in citations_of(history).values() if "swordfish" in each.text]
    assert [(each.source, each.page) for each in found] == [("book.pdf", 30)]
    (message,) = session.messages(history)
    assert "swordfish" in message.text
    assert "A short note." in message.text
    assert len(message.text) < CONTEXT * 3
    history = session.with_reply(history, "swordfish [1]")
    later = await messages.prepared(history, "What does Chapter 7 tell of?", [], collections=[], context=CONTEXT)
    assert any("Chapter 7 " in each.content for each in later)


async def test_a_file_that_fits_is_given_whole(messages: KnowledgeMessages) -> None:
    book = Attachment(name="book.txt", type="text/plain", content="sheep " * 300)
    assert await messages.prepared(History(), "x", [book], collections=[], context=CONTEXT) == [book]
    # Where no model is loaded nobody knows how much fits.
    long = Attachment(name="book.txt", type="text/plain", content="sheep " * 30_000)
    assert await messages.prepared(History(), "x", [long], collections=[], context=None) == [long]
