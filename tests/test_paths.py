"""Names from requests never lead out of their folder; writes replace files as a whole."""

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.errors import BadRequest
from modules.paths import PROGRAM_FOLDER, UserData, atomic_write, inside, inside_tree

YAML = (".yaml", ".yml", ".json")
Finder = Callable[[Path, str], Path]

# None of these may become a path, whether sub-folders are allowed or not.
HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "...",
    "../canary",
    "../../etc/passwd",
    "a/../../canary",
    "a/..",
    "./a",
    "..\\canary",
    "..\\..\\canary",
    "a\\b",
    "/etc/passwd",
    "/",
    "//host/share",
    "\\\\host\\share\\file",
    "C:\\Windows\\win.ini",
    "C:/Windows/win.ini",
    "c:canary",
    "C:",
    "name.yaml::$DATA",
    "\\\\?\\C:\\x",
    "name\0",
    "name\0.yaml",
    "\0",
    "line\nbreak",
    "tab\there",
    "bell\x07",
    "escape\x1b[31m",
    "delete\x7f",
    "c1\x85",
    "lone\ud800surrogate",
    "name.",
    "name..",
    "name ",
    " name",
    "name\u00a0",
    ".hidden",
    "a/.hidden",
    "a//b",
    "a/",
    "a/ b",
    "a /b",
    "%2e",
    "%2e%2e",
    "%2e%2e%2fcanary",
    "%2E%2E%2Fcanary",
    "..%2fcanary",
    "..%5ccanary",
    "%252e%252e%252fcanary",
    "%25252e%25252e%25252fcanary",
    "name%00",
    "%2fetc%2fpasswd",
    "x" * 256,
    "x" * 5000,
    "é" * 128,
    "é" * 128 + "/a",
    "a/" * 600 + "a",
    "NUL",
    "con",
    "com1.yaml",
    "Aux .yaml",
    "a/nul.gguf",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "canary").write_text("out of bounds", encoding="utf-8")
    (tmp_path / "canary.yaml").write_text("out of bounds", encoding="utf-8")
    folder = tmp_path / "characters"
    (folder / "a").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("find", [inside, inside_tree])
@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:30]))
@pytest.mark.parametrize("suffixes", [(), YAML], ids=["any", "yaml"])
def test_hostile_names_are_refused(
    folder: Path, name: str, find: Callable[..., Path], suffixes: tuple[str, ...]
) -> None:
    with pytest.raises(BadRequest) as refusal:
        find(folder, name, suffixes, param="character")
    assert refusal.value.param == "character"
    assert len(refusal.value.message) < 400
    assert refusal.value.message.isascii()
    assert str(folder) not in refusal.value.message


@pytest.mark.parametrize(
    "name",
    [
        "Assistant",
        "Llama-3.2-1B.Q4_K_M",
        "日本語 名前",
        "Zoë",
        "👩\u200d🚀",
        "100%",
        "a%zz",
        "it's (1) [x] & co",
        "x" * 200,
        "null",
        "console",
    ],
)
def test_plain_names_are_kept_as_they_are(folder: Path, name: str) -> None:
    assert inside(folder, name) == folder / name
    assert inside_tree(folder, name) == folder / name


def test_separators_are_only_for_names_in_sub_folders(folder: Path) -> None:
    with pytest.raises(BadRequest):
        inside(folder, "owner/model")
    assert inside_tree(folder, "owner/model.gguf") == folder / "owner" / "model.gguf"
    assert inside_tree(folder, "a/b/c/d") == folder / "a" / "b" / "c" / "d"


def test_suffixes_are_added_unless_the_name_has_one(folder: Path) -> None:
    assert inside(folder, "new", YAML) == folder / "new.yaml"
    assert inside(folder, "new.json", YAML) == folder / "new.json"
    assert inside(folder, "new.JSON", YAML) == folder / "new.JSON"
    assert inside(folder, "v1.5", YAML) == folder / "v1.5.yaml"
    assert inside_tree(folder, "a/new", YAML) == folder / "a" / "new.yaml"


def test_the_suffix_of_an_existing_file_is_preferred(folder: Path) -> None:
    (folder / "old.json").touch()
    assert inside(folder, "old", YAML) == folder / "old.json"
    (folder / "old.yaml").touch()
    assert inside(folder, "old", YAML) == folder / "old.yaml"


def test_no_other_kind_of_file_can_be_reached(folder: Path) -> None:
    (folder / "secret.txt").touch()
    assert inside(folder, "secret.txt", YAML) == folder / "secret.txt.yaml"
    (folder / "program.py").touch()
    assert inside(folder, "program.py", YAML) == folder / "program.py.yaml"


def test_the_suffix_counts_towards_the_length(folder: Path) -> None:
    assert inside(folder, "x" * 250, YAML).name == "x" * 250 + ".yaml"
    with pytest.raises(BadRequest):
        inside(folder, "x" * 251, YAML)


@pytest.mark.parametrize("find", [inside, inside_tree])
def test_links_may_not_lead_out(folder: Path, find: Finder) -> None:
    (folder / "link").symlink_to(folder.parent / "canary")
    (folder / "link.yaml").symlink_to(folder.parent / "canary.yaml")
    (folder / "up").symlink_to(folder.parent)
    for name in ("link", "up"):
        with pytest.raises(BadRequest):
            find(folder, name)
    with pytest.raises(BadRequest):
        inside(folder, "link", YAML)
    with pytest.raises(BadRequest):
        inside_tree(folder, "up/canary")


def test_a_folder_beside_with_the_same_beginning_is_outside(folder: Path) -> None:
    (folder.parent / "characters-private").mkdir()
    (folder / "link").symlink_to(folder.parent / "characters-private")
    with pytest.raises(BadRequest):
        inside(folder, "link")


def test_links_within_the_folder_and_to_the_folder_are_fine(folder: Path) -> None:
    (folder / "real.yaml").touch()
    (folder / "link.yaml").symlink_to(folder / "real.yaml")
    assert inside(folder, "link", YAML) == folder / "link.yaml"
    elsewhere = folder.parent / "elsewhere"
    elsewhere.symlink_to(folder)
    assert inside(elsewhere, "real", YAML) == elsewhere / "real.yaml"


def test_a_ring_of_links_does_no_harm(folder: Path) -> None:
    (folder / "ring").symlink_to(folder / "ring")
    assert inside(folder, "ring") == folder / "ring"


def test_the_folder_need_not_exist(tmp_path: Path) -> None:
    assert inside(tmp_path / "new", "name", YAML) == tmp_path / "new" / "name.yaml"


def test_the_layout_of_the_user_data() -> None:
    data = UserData(Path("d"))
    expected = {
        "cmd_flags": "CMD_FLAGS.txt",
        "settings": "settings.yaml",
        "mcp": "mcp.json",
        "notification": "notification.mp3",
        "models": "models",
        "model_config": "models/config.yaml",
        "user_model_config": "models/config-user.yaml",
        "loras": "loras",
        "mmproj": "mmproj",
        "embeddings": "embeddings",
        "image_models": "image_models",
        "image_outputs": "image_outputs",
        "characters": "characters",
        "users": "users",
        "presets": "presets",
        "instruction_templates": "instruction-templates",
        "grammars": "grammars",
        "tools": "tools",
        "extensions": "extensions",
        "training_datasets": "training/datasets",
        "training_formats": "training/formats",
        "logs": "logs",
        "chat_logs": "logs/chat",
        "instruct_logs": "logs/instruct",
        "chat_state": "logs/chat_state.json",
        "notebook_logs": "logs/notebook",
        "evaluations": "logs/evaluations.csv",
        "cache": "cache",
        "lorebooks": "lorebooks",
        "prompts": "prompts",
        "knowledge": "knowledge",
        "memory": "memory",
        "organisation": "logs/organisation.json",
    }
    named = {name for name, member in vars(UserData).items() if isinstance(member, property)}
    assert named == set(expected)
    for name, path in expected.items():
        assert getattr(data, name) == Path("d", path)


def test_models_may_lie_elsewhere() -> None:
    data = UserData(Path("d"), model_dir=Path("m"))
    assert data.models == Path("m")
    assert data.user_model_config == Path("m", "config-user.yaml")
    assert data.loras == Path("d", "loras")


def test_the_program_folder_holds_the_front_door_and_its_modules() -> None:
    assert (PROGRAM_FOLDER / "modules" / "paths.py").is_file()


@pytest.mark.parametrize(
    ("content", "expected"), [("grün\n", "grün\n".encode()), (b"\x00\xff", b"\x00\xff"), ("", b"")]
)
def test_a_write_makes_folders_and_leaves_only_the_file(tmp_path: Path, content: str | bytes, expected: bytes) -> None:
    path = tmp_path / "new" / "file.txt"
    atomic_write(path, content)
    assert path.read_bytes() == expected
    assert list(path.parent.iterdir()) == [path]


def test_a_write_keeps_permissions_and_links(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o600)
    link.symlink_to(path)
    atomic_write(link, "new")
    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    atomic_write(tmp_path / "written", "x")
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_failed_write_leaves_what_was_there_and_no_litter(tmp_path: Path) -> None:
    obstacle = tmp_path / "obstacle"
    (obstacle / "old").mkdir(parents=True)
    with pytest.raises(OSError, match="obstacle"):
        atomic_write(obstacle, "new")
    assert list(tmp_path.rglob("*")) == [obstacle, obstacle / "old"]


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = {"a" * 300_000, "b" * 200_000}
    atomic_write(path, "a" * 300_000)
    written = threading.Event()

    def write() -> None:
        for _ in range(20):
            for content in sorted(contents):
                atomic_write(path, content)
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not written.is_set():
        assert path.read_text(encoding="utf-8") in contents
    writer.join()
