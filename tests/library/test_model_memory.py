"""Which model a notebook or a character was with."""

from pathlib import Path

from modules.library.characters.character import Character
from modules.library.characters.characters import Characters
from modules.library.chats.history import ChatTurn, History, Row, last_model
from modules.library.model_memory import ModelMemory
from modules.library.notebooks import Notebooks
from modules.paths import UserData


def test_memory_is_kept_on_disk(tmp_path: Path) -> None:
    ModelMemory(tmp_path).note("story", "a.gguf")
    memory = ModelMemory(tmp_path)
    assert (memory.of("story"), memory.of("other")) == ("a.gguf", "")
    memory.note("story", "b.gguf")
    assert ModelMemory(tmp_path).of("story") == "b.gguf"
    memory.forget("story")
    assert ModelMemory(tmp_path).of("story") == ""


def test_a_damaged_memory_is_none(tmp_path: Path) -> None:
    for content in (b"{", b"[1]", b'{"story": 3, "other": "a.gguf"}', b"\xff\xfe\x00"):
        (tmp_path / ".models").write_bytes(content)
        assert ModelMemory(tmp_path).of("story") == ""
    ModelMemory(tmp_path).note("story", "a.gguf")
    assert ModelMemory(tmp_path).of("story") == "a.gguf"


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("no folder", "utf-8")
    memory = ModelMemory(tmp_path / "folder")
    memory.note("story", "a.gguf")
    assert memory.of("story") == ""


def test_notebook_keeps_its_model_under_a_new_name(tmp_path: Path) -> None:
    notebooks = Notebooks(UserData(tmp_path))
    notebooks.save("story", "Once")
    notebooks.models.note("story", "a.gguf")
    notebooks.rename("story", "tale")
    assert (notebooks.models.of("tale"), notebooks.models.of("story")) == ("a.gguf", "")
    assert notebooks.names() == ["tale"]
    notebooks.delete("tale")
    assert notebooks.models.of("tale") == ""


def test_character_keeps_its_model_and_the_list_shows_no_other_file(tmp_path: Path) -> None:
    characters = Characters(UserData(tmp_path))
    characters.save("Ada", Character("Ada", "", ""))
    characters.models.note("Ada", "a.gguf")
    assert characters.names() == ["Ada"]
    characters.save("Ada", Character("Ada", "A mathematician.", ""))
    assert characters.models.of("Ada") == "a.gguf"
    characters.delete("Ada")
    assert characters.models.of("Ada") == ""


def test_chat_was_with_the_model_of_its_latest_reply() -> None:
    rows = [
        Row(assistant=ChatTurn(text=text, model=model)) for text, model in (("a", "a.gguf"), ("b", "b.gguf"), ("c", ""))
    ]
    assert last_model(History(rows=tuple(rows))) == "b.gguf"
    assert last_model(History()) == ""
