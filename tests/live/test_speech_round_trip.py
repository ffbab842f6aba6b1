"""Speech → text: what a voice of Kokoro says, Whisper writes down."""

import re
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
import pytest_asyncio

from tests.live.server import launch
from tests.model_files import KOKORO, WHISPER_BASE, model_folder

pytestmark = [pytest.mark.live, pytest.mark.model, pytest.mark.extended, pytest.mark.asyncio(loop_scope="module")]

SENTENCES: Final = (
    "The quick brown fox jumps over the lazy dog.",
    "Please close the window before it starts to rain.",
    "My sister bought three green apples at the market.",
    "The train to the city leaves at half past seven.",
    "He opened the old door and looked into the garden.",
    "We walked along the river until the sun went down.",
    "Could you tell me where the nearest station is?",
    "The teacher wrote the answer on the blackboard.",
    "I forgot my umbrella at the office again.",
    "Every morning she drinks a cup of hot coffee.",
    "The children built a castle out of sand.",
    "There is a small bakery on the corner of the street.",
    "They had never seen so many stars in the sky.",
    "The doctor said that I should rest for a week.",
    "Our neighbours have a friendly black cat.",
    "The museum is open every day except Monday.",
    "It took him two hours to repair the broken chair.",
    "She put the letter into the drawer of her desk.",
    "The mountain was covered with snow in December.",
    "Thank you very much for your help yesterday.",
)
# Several voices, women's and men's, of both kinds of English.
VOICES: Final = ("af_heart", "am_michael", "bf_emma", "bm_george")
MOST_WRONG: Final = 0.1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    folder = tmp_path_factory.mktemp("round") / "user_data"
    models = folder / "models"
    models.mkdir(parents=True)
    for name in (KOKORO, WHISPER_BASE):
        (models / name).symlink_to(model_folder(name))
    server = launch(folder, "--nowebui", "--loader", "scripted")
    try:
        await server.until_listening()
        await server.until_healthy()
        async with server.client() as client:
            yield client
        await server.stop()
    finally:
        server.kill()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def edits(wanted: list[str], heard: list[str]) -> int:
    """Words to insert, drop or exchange."""
    row = list(range(len(heard) + 1))
    for place, word in enumerate(wanted, 1):
        before, row[0] = row[0], place
        for at, other in enumerate(heard, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (word != other))
    return row[-1]


async def spoken(http: httpx.AsyncClient, text: str, voice: str, form: str) -> bytes:
    answer = await http.post("/v1/audio/speech", json={"input": text, "voice": voice, "response_format": form})
    assert answer.status_code == 200, answer.text
    return answer.content


async def written(http: httpx.AsyncClient, sound: bytes) -> str:
    fields = {"language": "en"}
    answer = await http.post("/v1/audio/transcriptions", files={"file": ("a", sound)}, data=fields, timeout=500)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["text"])


@pytest.mark.timeout(600)
async def test_twenty_sentences_come_back(http: httpx.AsyncClient) -> None:
    wrong, count, heard = 0, 0, []
    for number, sentence in enumerate(SENTENCES):
        heard.append(await written(http, await spoken(http, sentence, VOICES[number % len(VOICES)], "wav")))
        wrong += edits(words(sentence), words(heard[-1]))
        count += len(words(sentence))
    assert wrong / count <= MOST_WRONG, heard


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav"])
async def test_every_format_says_the_same(http: httpx.AsyncClient, form: str) -> None:
    text = " ".join(SENTENCES[:2])
    assert edits(words(text), words(await written(http, await spoken(http, text, "af_heart", form)))) <= 2


@pytest.mark.timeout(600)
async def test_the_longest_input_of_openai_comes_back(http: httpx.AsyncClient) -> None:
    """4,096 characters: some four minutes, which are transcribed in several windows."""
    text = (" ".join(SENTENCES) + " ") * 5
    text = text[: text.rindex(". ", 0, 4096) + 1]
    heard = words(await written(http, await spoken(http, text, "af_heart", "mp3")))
    assert edits(words(text), heard) / len(words(text)) <= MOST_WRONG, heard
