"""Files of the memory: notes are added and dropped line by line, and names lead nowhere else."""

from pathlib import Path

import pytest

from modules.errors import BadRequest
from modules.library.memory import MAX_MEMORY, Memory
from modules.paths import UserData


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(UserData(tmp_path))


def test_notes_are_lines_of_a_file_that_people_can_edit(memory: Memory, tmp_path: Path) -> None:
    memory.remember("Likes  tea\nwithout sugar")
    memory.remember("Lives in Vienna")
    memory.remember("Lives in Vienna")
    assert (tmp_path / "memory" / "notes.md").read_text() == "- Likes tea without sugar\n- Lives in Vienna\n"
    assert memory.forget("vienna") == ["Lives in Vienna"]
    assert memory.text() == "- Likes tea without sugar"
    with pytest.raises(BadRequest, match="No note"):
        memory.forget("Paris")


def test_all_files_are_in_the_text_and_a_broken_one_hides_no_other(memory: Memory, tmp_path: Path) -> None:
    assert memory.text() == ""
    memory.write("work", "Writes Python.\n")
    memory.write("about", "Is called Anna.\n")
    (tmp_path / "memory" / "broken.md").write_bytes(b"\xff\xfa\x81")
    assert memory.text() == "Is called Anna.\n\nWrites Python."
    memory.delete("work")
    assert memory.names() == ["about", "broken"]


@pytest.mark.parametrize("note", ["", "  ", "x" * 1001])
def test_a_note_has_a_size(memory: Memory, note: str) -> None:
    with pytest.raises(BadRequest):
        memory.remember(note)


def test_the_memory_has_an_end(memory: Memory) -> None:
    memory.write("notes", "x" * MAX_MEMORY)
    with pytest.raises(BadRequest, match="full"):
        memory.remember("more")
    memory.write("notes", "x" * 2 * MAX_MEMORY)
    assert len(memory.text()) == MAX_MEMORY


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "..", "", "a/b", "\0"])
def test_names_that_lead_out_are_refused(memory: Memory, name: str) -> None:
    for act in (memory.read, memory.delete, lambda name: memory.write(name, "x")):
        with pytest.raises(BadRequest):
            act(name)
