"""Collections of real files through the whole service: read, kept in step, searched by words and by meaning."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from modules.errors import BadRequest
from modules.knowledge.service import KnowledgeService
from modules.models.loading import launch_engine
from modules.runtime import Runtime
from tests.chat.attachment_files import document, pdf
from tests.model_files import model_folder
from tests.models.launches import scripted_settings

MINILM = "sentence-transformers_all-MiniLM-L6-v2"
HTML = b"""<html><head><title>Bells</title><script>var canary</script></head><body><nav>Home About</nav>
<article><h1>Ringing</h1><p>%s</p></article></body></html>""" % (b"The great bell is rung at noon by the ringer. " * 12)


@pytest_asyncio.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    settings = scripted_settings(tmp_path, user_data_dir=tmp_path / "data", openai_embedding_model="none")
    async with Runtime(settings) as runtime:
        yield runtime


@pytest.fixture
def knowledge(runtime: Runtime) -> KnowledgeService:
    runtime.knowledge.collections.create("tower")
    return runtime.knowledge


async def paths_for(knowledge: KnowledgeService, question: str) -> list[tuple[str, int]]:
    return [(each.path, each.page) for each in await knowledge.search(question, ["tower"], limit=3)]


async def test_files_of_each_kind_are_found_by_their_words(knowledge: KnowledgeService) -> None:
    files = knowledge.collections
    files.add("tower", "clock.pdf", pdf("The cover page " * 20, "The pendulum is two metres long"))
    files.add("tower", "keeper.docx", document())
    files.add("tower", "bells.html", HTML)
    files.add("tower", "visitors.csv", b"month,visitors\nMay,1200\nJune,1800\n")
    files.add("tower", "chime.py", b"def chime(hour):\n    return 'ding' * hour\n")
    assert (await paths_for(knowledge, "How long is the pendulum?"))[0] == ("clock.pdf", 2)
    assert (await paths_for(knowledge, "what is left of the right"))[0] == ("keeper.docx", 0)
    assert await paths_for(knowledge, "visitors in June") == [("visitors.csv", 0)]
    assert await paths_for(knowledge, "ding") == [("chime.py", 0)]
    (bell, *_) = await knowledge.search("Who rings the bell at noon?", ["tower"], limit=1)
    assert bell.heading == "Bells"
    assert "canary" not in bell.text
    state = await knowledge.state("tower")
    assert [file.path for file, known in state.files if known is None or known.problem] == []
    assert (state.model, state.vectors, state.progress.is_running) == ("", 0, False)


async def test_only_what_changed_is_read_again(knowledge: KnowledgeService, tmp_path: Path) -> None:
    files = knowledge.collections
    files.add("tower", "a.txt", b"The clock strikes twelve.")
    files.add("tower", "b.txt", b"The bell is silent.")
    await knowledge.wait("tower")
    place = tmp_path / "data" / "knowledge" / "tower"
    before = {number.path: number.number for number in await knowledge.search("clock bell", ["tower"], limit=5)}
    # The same content at another time is the same passages; new content is new ones.
    os.utime(place / "a.txt", ns=(1, 1))
    (place / "b.txt").write_text("The bell rings for Anna.")
    after = {number.path: number.number for number in await knowledge.search("clock bell", ["tower"], limit=5)}
    assert after["a.txt"] == before["a.txt"]
    assert after["b.txt"] != before["b.txt"]
    (place / "a.txt").unlink()
    assert await paths_for(knowledge, "clock") == []


async def test_a_file_that_cannot_be_read_says_why_and_hides_no_other(knowledge: KnowledgeService) -> None:
    knowledge.collections.add("tower", "broken.pdf", b"%PDF-1.7 broken")
    knowledge.collections.add("tower", "good.txt", b"The clock strikes twelve.")
    assert await paths_for(knowledge, "clock") == [("good.txt", 0)]
    state = await knowledge.state("tower")
    problems = {file.path: known.problem for file, known in state.files if known is not None}
    assert problems["good.txt"] == ""
    assert "broken.pdf" in problems["broken.pdf"]


async def test_stopped_work_keeps_what_was_read_and_goes_on_later(knowledge: KnowledgeService) -> None:
    for number in range(30):
        knowledge.collections.add("tower", f"{number:02}.txt", f"Note number {number} on the clock.".encode())
    await knowledge.update("tower")
    await knowledge.stop("tower")
    state = await knowledge.state("tower")
    assert not state.progress.is_running
    assert state.progress.message.startswith("Stopped")
    await knowledge.wait("tower")
    assert (await knowledge.state("tower")).passages == 30


async def test_a_deleted_collection_is_searched_no_more(knowledge: KnowledgeService) -> None:
    knowledge.collections.add("tower", "a.txt", b"The clock strikes twelve.")
    await knowledge.wait("tower")
    await knowledge.delete("tower")
    with pytest.raises(BadRequest, match="There is none yet"):
        await knowledge.search("clock", ["tower"], limit=3)


@pytest.mark.model
async def test_with_an_embedding_model_other_words_of_the_same_meaning_are_found(tmp_path: Path) -> None:
    (tmp_path / MINILM).symlink_to(model_folder(MINILM), target_is_directory=True)
    settings = scripted_settings(tmp_path, user_data_dir=tmp_path / "data", openai_embedding_model="all-MiniLM-L6-v2")
    async with Runtime(settings, launch=launch_engine) as runtime:
        knowledge = runtime.knowledge
        knowledge.collections.create("tower")
        knowledge.collections.add("tower", "a.txt", b"Felines sleep for most of the day.")
        knowledge.collections.add("tower", "b.txt", b"The stock exchange opens at nine.")
        knowledge.collections.add("tower", "c.txt", b"Bread is baked from flour and water.")
        assert (await paths_for(knowledge, "How long do cats rest?"))[0] == ("a.txt", 0)
        state = await knowledge.state("tower")
        assert (state.model, state.passages, state.vectors) == (MINILM, 3, 3)
