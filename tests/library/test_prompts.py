"""Prompts as files that people may write by hand: what is read, what is written, and what is said of damaged ones."""

from pathlib import Path

import pytest

from modules.errors import BadRequest
from modules.library.prompts import LibraryPrompt, PromptLibrary
from modules.paths import UserData


@pytest.fixture
def prompts(tmp_path: Path) -> PromptLibrary:
    return PromptLibrary(UserData(tmp_path))


def write(folder: Path, name: str, content: str) -> None:
    (folder / "prompts").mkdir(exist_ok=True)
    (folder / "prompts" / name).write_text(content, encoding="utf-8")


def test_prompt_is_saved_and_read_as_it_was(prompts: PromptLibrary, tmp_path: Path) -> None:
    kept = prompts.save(
        LibraryPrompt(
            id="",
            name="Sum up: an article",
            description="In few words",
            tags=("work", "x"),
            text="Sum up {{text:long}}",
        )
    )
    assert kept.id == "Sum up an article"
    assert prompts.all().prompts == (kept,)
    assert (tmp_path / "prompts" / "Sum up an article.md").read_text() == (
        "---\nname: 'Sum up: an article'\ndescription: In few words\ntags:\n- work\n- x\n---\nSum up {{text:long}}\n"
    )


def test_second_prompt_of_a_name_gets_a_file_of_its_own(prompts: PromptLibrary) -> None:
    first, second = (prompts.save(LibraryPrompt(id="", name="Same", text=text)) for text in ("a", "b"))
    assert (first.id, second.id) == ("Same", "Same_001")
    changed = prompts.save(LibraryPrompt(id=first.id, name="Other", text="c"))
    assert (changed.id, changed.name) == ("Same", "Other")
    prompts.delete("Same")
    assert [each.id for each in prompts.all().prompts] == ["Same_001"]


@pytest.mark.parametrize(
    ("content", "name", "tags", "text"),
    [
        ("Just text\n", "file", (), "Just text"),
        ("---\nname: Ten\ntags: a, b\n---\nSay {{x}}\n", "Ten", ("a", "b"), "Say {{x}}"),
        ("---\n---\nBody", "file", (), "Body"),
        ("---\r\nname: 7\r\n---\r\n\r\nA\r\nB\r\n", "7", (), "A\nB"),
        ("A\n---\nB\n---\n", "file", (), "A\n---\nB\n---"),
    ],
)
def test_files_by_hand_are_read(
    prompts: PromptLibrary, tmp_path: Path, content: str, name: str, tags: tuple[str, ...], text: str
) -> None:
    write(tmp_path, "file.md", content)
    assert prompts.all().prompts == (LibraryPrompt(id="file", name=name, tags=tags, text=text),)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("---\nname: A\nBody", "no end"),
        ("---\nname: [\n---\nBody", "not valid YAML"),
        ("---\nname: {a: b}\n---\nBody", "`name` must be text"),
        ("---\ntags: {a: b}\n---\nBody", "`tags` must be a list"),
        ("---\nname: A\n---\n \n", "has no text"),
    ],
)
def test_damaged_file_is_said_and_the_others_are_there(
    prompts: PromptLibrary, tmp_path: Path, content: str, problem: str
) -> None:
    write(tmp_path, "bad.md", content)
    write(tmp_path, "good.md", "Text")
    listing = prompts.all()
    assert [each.id for each in listing.prompts] == ["good"]
    [told] = listing.problems
    assert told.startswith("bad.md")
    assert problem in told


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "con", ""])
def test_no_other_file_can_be_named(prompts: PromptLibrary, name: str) -> None:
    with pytest.raises(BadRequest):
        prompts.read(name)
    if name:
        with pytest.raises(BadRequest):
            prompts.save(LibraryPrompt(id=name, name="x", text="y"))


@pytest.mark.parametrize("name", ["../../etc/passwd", "con", "…", "a" * 90, "日本語"])
def test_any_name_gets_a_usable_file(prompts: PromptLibrary, name: str) -> None:
    kept = prompts.save(LibraryPrompt(id="", name=name, text="y"))
    assert prompts.read(kept.id).name == name


@pytest.mark.parametrize("prompt", [LibraryPrompt(id="", name=" ", text="a"), LibraryPrompt(id="", name="a", text=" ")])
def test_prompt_without_name_or_text_is_refused(prompts: PromptLibrary, prompt: LibraryPrompt) -> None:
    with pytest.raises(BadRequest):
        prompts.save(prompt)
