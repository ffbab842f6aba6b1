"""Each chat has its own documents and its own memory, whatever is chosen in others, and keeps them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from modules.library.users import User
from tests.ui.served import ServedPage, served_page
from tests.ui.wire import Tab, new_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedPage]:
    folder = tmp_path_factory.mktemp("user_data")
    for name, text in {"tower": "The pendulum is two metres long.", "garden": "The pendulum is a swing."}.items():
        (folder / "knowledge" / name).mkdir(parents=True)
        (folder / "knowledge" / name / "a.md").write_text(text, "utf-8")
    (folder / "memory").mkdir()
    (folder / "memory" / "notes.md").write_text("Bo likes plums.", "utf-8")
    async with served_page(folder) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def tab(page: ServedPage) -> AsyncIterator[Tab]:
    async with new_tab(page.http) as opened:
        await opened.act("new-chat", "click")
        yield opened


async def tick(tab: Tab, *names: str) -> None:
    event = await tab.act("chat-knowledge", "input", chat_knowledge=list(names))
    assert event.error is None, event.error


async def remember(tab: Tab, is_on: bool) -> None:
    event = await tab.act("chat-memory", "input", chat_memory=is_on)
    assert event.error is None, event.error


def chat_of(tab: Tab) -> str:
    return str(json.loads(tab.value("place"))["chat"])


def stored(page: ServedPage, chat: str) -> dict[str, Any]:
    content = json.loads((page.folder / "logs" / "instruct" / f"{chat}.json").read_text("utf-8"))
    assert isinstance(content, dict)
    return content


async def show(tab: Tab, chat: str) -> None:
    await tab.act("past-chats", "select", event_data={"chat": chat})
    assert chat_of(tab) == chat


async def prompt_of(tab: Tab) -> str:
    await tab.act("info-bridge", "download", event_data={"number": 1})
    return str(json.loads(tab.value("info-bridge"))["prompt"])


async def test_documents_are_those_of_the_chat(page: ServedPage, tab: Tab) -> None:
    await tick(tab, "tower")
    assert "two metres long" in await tab.ask("How long is the pendulum?")
    first = chat_of(tab)
    # A new chat begins with the last choice, and changes that of no other.
    await tab.act("new-chat", "click")
    assert tab.value("chat-knowledge") == ["tower"]
    await tick(tab)
    assert "metres" not in await tab.ask("How long is the pendulum?")
    second = chat_of(tab)
    await show(tab, first)
    assert tab.value("chat-knowledge") == ["tower"]
    async with new_tab(page.http) as other:
        await show(other, second)
        assert other.value("chat-knowledge") == []
        await tick(other, "garden", "no such")
        assert other.value("chat-knowledge") == ["garden", "no such"]
        # What the other tab shows has nothing to do with this one.
        assert "swing" not in await tab.ask("How is the pendulum?")
        assert "swing" in await other.ask("How is the pendulum?")
    assert stored(page, first)["uses"] == {"persona": "Default", "knowledge": ["tower"], "memory": True}
    assert stored(page, second)["uses"] == {"persona": "Default", "knowledge": ["garden"], "memory": True}


async def test_a_choice_during_a_reply_counts_from_the_next_message_on(page: ServedPage, tab: Tab) -> None:
    await tick(tab)
    event = await tab.say("stall")
    await tab.until("waiting")
    await tick(tab, "garden")
    await tab.act("box", "stop")
    await tab.over(event)
    assert stored(page, chat_of(tab))["uses"]["knowledge"] == ["garden"]
    assert "swing" in await tab.ask("How is the pendulum?")
    await tick(tab)


async def test_memory_is_switched_for_the_chat_alone(page: ServedPage, tab: Tab) -> None:
    assert tab.value("chat-memory") is True
    await tab.ask("Hello")
    assert "plums" in await prompt_of(tab)
    with_memory = chat_of(tab)
    await tab.act("new-chat", "click")
    await remember(tab, False)
    await tab.ask("Hello")
    assert "plums" not in await prompt_of(tab)
    assert "memory" not in stored(page, chat_of(tab))
    # It is read when it is switched on.
    await remember(tab, True)
    assert stored(page, chat_of(tab))["memory"].endswith("Bo likes plums.")
    await tab.ask("Hello again")
    assert "plums" in await prompt_of(tab)
    await show(tab, with_memory)
    await remember(tab, False)
    await tab.act("new-chat", "click")
    assert tab.value("chat-memory") is True


async def test_a_branch_has_what_its_chat_has(page: ServedPage, tab: Tab) -> None:
    await tick(tab, "tower")
    await tab.ask("How long is the pendulum?")
    await tab.act("bridge", "submit", event_data={"act": "branch", "index": 0})
    assert tab.value("chat-knowledge") == ["tower"]
    await tick(tab)
    await tab.ask("And now?")
    assert stored(page, chat_of(tab))["uses"]["knowledge"] == []


async def test_temporary_chats_have_documents_and_no_memory(tab: Tab) -> None:
    await tab.act("new-incognito", "click")
    assert tab.component("chat-memory")
    assert tab.value("chat-memory") is False
    await tick(tab, "tower")
    assert "two metres long" in await tab.ask("How long is the pendulum?")
    assert "plums" not in await prompt_of(tab)
    await tab.act("new-chat", "click")
    assert tab.value("chat-knowledge") == []


async def test_an_older_chat_has_the_memory_that_it_began_with(page: ServedPage, tab: Tab) -> None:
    rows = {"internal": [["Hi", "Hello"]], "visible": [["Hi", "Hello"]], "metadata": {}}
    folder = page.folder / "logs" / "instruct"
    (folder / "older.json").write_text(json.dumps(rows | {"memory": "Bo likes figs."}), "utf-8")
    (folder / "oldest.json").write_text(json.dumps(rows), "utf-8")
    for chat, words in (("older", "figs"), ("oldest", "")):
        await show(tab, chat)
        assert tab.value("chat-memory") is bool(words)
        assert tab.value("chat-knowledge") == []
        await tab.ask("Hello")
        prompt = await prompt_of(tab)
        assert ("plums" in prompt, words in prompt) == (False, True)


async def test_each_chat_has_its_persona(page: ServedPage, tab: Tab) -> None:
    users, characters = page.runtime.library.users, page.folder / "characters"
    users.save("Ada", User("Ada", "Counts everything."))
    users.save("Bo", User("Bo", "Sails."))
    characters.mkdir(exist_ok=True)
    (characters / "Ann.yaml").write_text("name: Ann\ncontext: A captain.\n", "utf-8")
    await tab.act("character", "input", mode="chat", character="Ann")
    await tab.act("new-chat", "click")

    async def choose(name: str) -> None:
        """In the grid; the menu that it sets tells the chat."""
        await tab.act("persona-grid", "submit", event_data={"act": "choose", "file": name})
        assert tab.value("user") == name
        await tab.act("user", "change")

    await choose("Default")
    await choose("Ada")
    shown = {each["file"]: each["chosen"] for each in json.loads(tab.value("persona-grid"))}
    assert (shown["Ada"], shown["Bo"], shown["Default"]) == (True, False, False)
    await tab.ask("Hello")
    assert "Counts everything." in await prompt_of(tab)
    first = chat_of(tab)
    await tab.act("new-chat", "click")
    assert tab.value("user") == "Ada"
    await choose("Bo")
    await tab.ask("Hello")
    assert "Sails." in await prompt_of(tab)
    await show(tab, first)
    assert tab.value("user") == "Ada"
    # As a browser does it when a menu shows something else; it is no choice.
    await tab.act("user", "change")
    await tab.ask("Again")
    prompt = await prompt_of(tab)
    assert ("Ada: Hello" in prompt, "Counts everything." in prompt) == (True, True)
    await tab.act("mode", "input", mode="instruct")


async def test_what_the_grid_of_personas_does(page: ServedPage, tab: Tab) -> None:
    users = page.runtime.library.users
    users.save("Cy", User("Cy", "Of {{user}}."))
    for act, names in (("duplicate", {"Cy", "Cy 2"}), ("delete", {"Cy 2"})):
        event = await tab.act("persona-grid", "submit", event_data={"act": act, "file": "Cy"})
        assert event.error is None, event.error
        assert names <= set(users.names())
    assert "Cy" not in users.names()
    assert tab.value("user-menu") is not None
    await tab.act("persona-grid", "submit", event_data={"act": "edit", "file": "Cy 2"})
    assert tab.value("user-name") == "Cy"
    await tab.act("persona-grid", "submit", event_data={"act": "choose", "file": "Cy 2"})
    assert [each["text"] for each in json.loads(tab.value("persona-grid")) if each["file"] == "Cy 2"] == ["Of Cy."]
    event = await tab.act("persona-grid", "submit", event_data={"act": "choose", "file": "../x"})
    assert event.error is not None
