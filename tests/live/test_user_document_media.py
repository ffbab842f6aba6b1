"""The media of the document that the users of this API's forerunner have: its examples as they stand there, on one server
with a model that sees colours, one that draws, a voice, a transcriber and an embedding model."""

import base64
import json
import shutil
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from tests.live import commands
from tests.live.server import LiveServer, live_server
from tests.live.test_user_document import DOCUMENTS, said
from tests.model_files import KOKORO, SMOLLM2, WHISPER_BASE, model_folder, model_path
from tests.projectors import write_colour_projector

pytestmark = [pytest.mark.live, pytest.mark.model]

MINILM: Final = "sentence-transformers_all-MiniLM-L6-v2"
# As the document's table writes them.
SENTENCES: Final = (
    'For base64-encoded images, just replace the inner "url" value with this format: `data:image/FORMAT;base64,BASE64_STRING`',
    "You need to load an image model first. You can do this via the UI, or by adding `--image-model your_model_name`",
    "The output is a JSON object containing a `data` array. Each element has a `b64_json` field with the base64-encoded PNG",
    'ex. "OPENEDAI_EMBEDDING_MODEL=all-MiniLM-L6-v2"',
    "| all-MiniLM-L6-v2 | 384 |",
    "| /v1/images/generations | Image generation, response_format='b64_json' only. |",
    "| /v1/moderations | Basic support via embeddings. |",
    "| /v1/embeddings | Using SentenceTransformer embeddings. |",
    "| /v1/audio/\\* | Supported. |",
    "| /v1/images/edits | Not yet supported. |",
    "| /v1/images/variations | Not yet supported. |",
)
CAT: Final = "https://github.com/turboderp-org/exllamav3/blob/master/examples/media/cat.png?raw=true"
STRAWBERRY: Final = CAT.replace("cat.png", "strawberry.png")


def png(colour: str) -> bytes:
    made = BytesIO()
    Image.new("RGB", (64, 64), colour).save(made, "PNG")
    return made.getvalue()


def data_url(colour: str) -> str:
    """In the document's form."""
    return f"data:image/png;base64,{base64.b64encode(png(colour)).decode()}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    folder = tmp_path_factory.mktemp("server")
    models = folder / "models"
    models.mkdir()
    (models / SMOLLM2).symlink_to(model_path(SMOLLM2))
    for name in (KOKORO, WHISPER_BASE, MINILM):
        (models / name).symlink_to(model_folder(name))
    projector = write_colour_projector(models / "mmproj-colour.gguf", model_path(SMOLLM2))
    shutil.copytree(Path(__file__).parents[2] / "user_data" / "characters", folder / "characters", dirs_exist_ok=True)
    # The document's examples set no limit: they go on to the end of the context.
    flags = ("--model-dir", models, "--ctx-size", 256, "--mmproj", projector, "--image-model", "scripted-images")
    variables = {"OPENEDAI_EMBEDDING_MODEL": "all-MiniLM-L6-v2"}
    async with live_server(folder, *flags, variables=variables) as running:
        yield running


def post(server: LiveServer, path: str, **content: Any) -> httpx.Response:
    return httpx.post(server.url + path, timeout=120, trust_env=False, **content)


@pytest.mark.skipif(not DOCUMENTS, reason="the document does not lie beside this checkout")
def test_the_sentences_are_the_documents_own() -> None:
    text = " ".join(DOCUMENTS[0].read_text(encoding="utf-8").split())
    table = " ".join(text.split())
    assert [each for each in SENTENCES if " ".join(each.split()) not in table] == []


@pytest.mark.parametrize("colour", ["red", "blue"])
def test_vision_with_base64(server: LiveServer, colour: str) -> None:
    command = commands.VISION.replace(CAT, data_url(colour)).replace(
        '"top_k": 20', '"top_k": 20, "guided_regex": " ?(red|green|blue|yellow|white|black)", "temperature": 0'
    )
    answer = said(server, command)
    assert answer["choices"][0]["message"]["content"].strip() == colour
    assert answer["usage"]["prompt_tokens"] > 4


def test_vision_in_completions(server: LiveServer) -> None:
    command = commands.VISION_COMPLETION.replace(CAT, data_url("red")).replace(STRAWBERRY, data_url("blue"))
    assert said(server, command)["choices"][0]["text"]
    missing = json.loads(command.partition("-d '")[2].rpartition("'")[0])
    missing["messages"][0]["content"].pop()
    assert post(server, "/v1/completions", json=missing).status_code == 400


@pytest.mark.parametrize("command", [commands.VISION, commands.VISION_COMPLETION], ids=["chat", "text"])
def test_vision_with_the_documents_addresses(server: LiveServer, command: str) -> None:
    """An answer where the network reaches them, else the picture's fault and not the server's."""
    answer = said(server, command)
    assert "choices" in answer or answer["error"]["code"] == "invalid_image_url"


def test_image_generation(server: LiveServer) -> None:
    answer = said(server, commands.IMAGE)
    assert isinstance(answer["created"], int)
    [picture] = answer["data"]
    made = Image.open(BytesIO(base64.b64decode(picture["b64_json"])))
    assert made.format == "PNG"


def test_edits_and_variations(server: LiveServer) -> None:
    files = {"image": ("a.png", png("red"), "image/png")}
    edited = post(server, "/v1/images/edits", files=files, data={"prompt": "an orange tree"})
    varied = post(server, "/v1/images/variations", files=files, data={"n": "2", "response_format": "b64_json"})
    assert (edited.status_code, varied.status_code) == (200, 200), (edited.text[:300], varied.text[:300])
    assert [len(answer.json()["data"]) for answer in (edited, varied)] == [1, 2]


def test_embeddings(server: LiveServer) -> None:
    answer = post(server, "/v1/embeddings", json={"input": "hello"}).json()
    assert len(answer["data"][0]["embedding"]) == 384
    assert "all-MiniLM-L6-v2" in answer["model"]


def test_moderations(server: LiveServer) -> None:
    [result] = post(server, "/v1/moderations", json={"input": "hello"}).json()["results"]
    assert result["flagged"] is False


def test_audio(server: LiveServer) -> None:
    words = "The quick brown fox jumps over the lazy dog."
    spoken = post(server, "/v1/audio/speech", json={"model": "tts-1", "voice": "alloy", "input": words})
    assert (spoken.status_code, spoken.headers["content-type"]) == (200, "audio/mpeg")
    for endpoint in ("transcriptions", "translations"):
        files = {"file": ("fox.mp3", spoken.content)}
        answer = post(server, f"/v1/audio/{endpoint}", files=files, data={"model": "whisper-1"})
        assert answer.status_code == 200, answer.text
        assert {"quick", "brown", "fox"} <= set(answer.json()["text"].lower().split())


def test_every_line_of_the_compatibility_table_is_there(server: LiveServer) -> None:
    """None is unknown or unavailable."""
    paths = (
        "chat/completions completions embeddings images/generations moderations audio/speech audio/transcriptions "
        "audio/translations images/edits images/variations"
    ).split()
    statuses = {path: post(server, f"/v1/{path}", json={}).status_code for path in paths}
    assert {path: status for path, status in statuses.items() if status not in {200, 400, 415, 422}} == {}
    assert httpx.get(f"{server.url}/v1/models", trust_env=False).status_code == 200
