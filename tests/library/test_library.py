"""What is shipped works, and so does a user data folder without anything in it."""

from pathlib import Path

from modules.library.library import Library
from modules.paths import PROGRAM_FOLDER, UserData
from modules.sampling import Sampling

SHIPPED = Library(UserData(PROGRAM_FOLDER / "user_data"))


def test_an_empty_folder_has_all_that_is_needed(tmp_path: Path) -> None:
    library = Library(UserData(tmp_path / "nothing"))
    assert library.characters.read("Assistant").name == "AI"
    assert library.users.read("Default").name == "You"
    assert "### Instruction:" in library.templates.read("Alpaca")
    assert library.model_settings.for_model("model.gguf") == {}
    shelves = (library.characters, library.users, library.presets, library.templates, library.grammars)
    assert [shelf.names() for shelf in shelves] == [[]] * 5


def test_shipped_characters_and_users() -> None:
    assert {"Assistant", "Example"} <= set(SHIPPED.characters.names())
    assert SHIPPED.characters.read("Assistant").name == "AI"
    example = SHIPPED.characters.read("Example")
    assert example.name == "Chiharu Yamada"
    assert "{{char}}" in example.context
    assert example.greeting
    assert example.picture is not None
    assert example.picture.stat().st_size < 100_000
    assert SHIPPED.users.read("Default").name == "You"


def test_shipped_texts_are_those_without_files(tmp_path: Path) -> None:
    bare = Library(UserData(tmp_path / "nothing"))
    assert bare.characters.read("Assistant") == SHIPPED.characters.read("Assistant")
    assert bare.users.read("Default") == SHIPPED.users.read("Default")
    assert bare.templates.read("Alpaca") == SHIPPED.templates.read("Alpaca")


def test_shipped_presets() -> None:
    known = {
        "Creative": {"min_p": 0.02, "xtc_probability": 0.5},
        "Deterministic": {"do_sample": False, "top_k": 1},
        "Top-P": {"top_p": 0.95},
        "Qwen3 - Thinking": {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.05},
        "Qwen3 - No Thinking": {"temperature": 0.7, "top_p": 0.8, "top_k": 20},
    }
    assert {name: SHIPPED.presets.read(name) for name in known} == known
    for name in {*SHIPPED.presets.names(), "Instruct", "min_p"}:
        assert Sampling(**SHIPPED.presets.read(name)) != Sampling()  # type: ignore[arg-type]
