"""Which extensions are found and loaded, in which order, and what happens to those that fail."""

import asyncio
from pathlib import Path

import pytest
import yaml

from modules.errors import BadRequest, EngineFailed, NotLoaded
from modules.extend.discovery import ExtensionOrigin
from modules.extend.loader import load_extensions
from modules.settings.file import read_settings_file
from tests.extend.loaded import reply, running, settings_of, write_extension

ADDS = "def setup(host):\n    @host.hook\n    def reply_text(text, turn):\n        return text + {0!r}\n"


async def test_extensions_apply_in_the_order_given(tmp_path: Path) -> None:
    for name in "abc":
        write_extension(tmp_path, name, ADDS.format(name))
    async with running(settings_of(tmp_path, "c", "a", default_extensions=("b", "a"))) as (runtime, _):
        assert (await reply(runtime, "echo: x")).text == "xcab"


async def test_the_users_own_goes_before_a_built_in_one(tmp_path: Path) -> None:
    write_extension(tmp_path, "long_replies", ADDS.format(" mine"))
    async with running(settings_of(tmp_path, "long_replies")) as (runtime, extensions):
        assert (await reply(runtime, "echo: x")).text == "x mine"
        [info] = [info for info in extensions.available() if info.name == "long_replies"]
    assert (info.origin, info.is_active) == (ExtensionOrigin.USER, True)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import a_package_that_nobody_has", "a_package_that_nobody_has"),
        ("def setup(host):\n    raise RuntimeError('no luck')", "no luck"),
        ("def setup(host:", "SyntaxError"),
        ("raise SystemExit(1)", "SystemExit"),
        ("def setup(host):\n    @host.hook\n    def reply_txt(text, turn):\n        return text", "reply_text"),
        ("params = {'display_name': 3}", "display_name"),
    ],
)
async def test_what_fails_is_named_and_skipped(
    tmp_path: Path, script: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_extension(tmp_path, "bad", script)
    write_extension(tmp_path, "good", ADDS.format("!"))
    async with running(settings_of(tmp_path, "bad", "missing", "../../etc", "good")) as (runtime, extensions):
        assert (await reply(runtime, "echo: x")).text == "x!"
        infos = {info.name: info for info in extensions.available()}
    assert words in infos["bad"].failure
    assert "the extension bad is skipped" in caplog.text
    assert "There is no extension 'missing'" in caplog.text
    assert "'../../etc' is not a usable name" in caplog.text


def test_a_missing_package_says_how_to_install_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_extension(tmp_path, "needy", "import a_package_that_nobody_has")
    (tmp_path / "extensions" / "needy" / "requirements.txt").write_text("a-package\n")
    load_extensions(settings_of(tmp_path, "needy"))
    assert "pip install -r" in caplog.text


async def test_a_failing_hook_ends_the_request_and_hides_what_was_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_extension(
        tmp_path,
        "bad",
        "def setup(host):\n    @host.hook\n    def reply_text(text, turn):\n        raise ValueError(text)",
    )
    async with running(settings_of(tmp_path, "bad")) as (runtime, _):
        with pytest.raises(EngineFailed, match="bad failed in reply_text"):
            await reply(runtime, "echo: my secret")
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


async def test_hooks_of_one_extension_never_run_at_once_nor_on_the_event_loop(tmp_path: Path) -> None:
    write_extension(
        tmp_path,
        "slow",
        "import threading\n\nRUNNING = []\nMOST = []\n\n\ndef setup(host):\n    @host.hook\n"
        "    def reply_text(text, turn):\n        RUNNING.append(1)\n        MOST.append(len(RUNNING))\n"
        "        here = threading.current_thread() is threading.main_thread()\n        RUNNING.pop()\n"
        "        return f'{max(MOST)} {here}'\n",
    )
    async with running(settings_of(tmp_path, "slow")) as (runtime, _):
        replies = await asyncio.gather(*(reply(runtime, "echo: x") for _ in range(8)))
    assert {each.text for each in replies} == {"1 False"}


async def test_the_api_is_there_to_be_started_where_there_is_a_page(tmp_path: Path) -> None:
    assert load_extensions(settings_of(tmp_path)).services.names == ()
    extensions = load_extensions(settings_of(tmp_path, nowebui=False))
    assert extensions.services.names == ("openai",)
    assert not [info for info in extensions.available() if info.is_active]
    assert [info.name for info in load_extensions(settings_of(tmp_path, api=True)).available() if info.is_active] == [
        "openai"
    ]


def test_without_extensions_nothing_is_added_to_the_page(tmp_path: Path) -> None:
    extensions = load_extensions(settings_of(tmp_path))
    assert (extensions.css, extensions.js, extensions.tabs, extensions.blocks) == ("", "", (), ())


@pytest.mark.parametrize(
    "key", ["long_replies-min_length", "gallery-open", "example-serves", "character_bias-activate"]
)
def test_parameters_of_extensions_are_not_called_unknown(
    tmp_path: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"{key}: 1\n")
    assert read_settings_file(file) == {}
    assert caplog.text == ""


def test_the_runtime_is_not_there_before_it_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_extension(tmp_path, "early", "def setup(host):\n    host.runtime")
    load_extensions(settings_of(tmp_path, "early"))
    assert NotLoaded("x").code not in caplog.text
    assert "not running yet" in caplog.text


def test_saving_keeps_everything_else_in_the_file(tmp_path: Path) -> None:
    write_extension(tmp_path, "mine", "def setup(host):\n    pass")
    file = tmp_path / "settings.yaml"
    file.write_text("temperature: 0.5\nmine-old: 1\nstranger-x: 2\n")
    extensions = load_extensions(settings_of(tmp_path))
    extensions.save(["mine", "gallery"], {"mine-old": None, "mine-new": [1, 2]})
    assert yaml.safe_load(file.read_text()) == {
        "temperature": 0.5,
        "stranger-x": 2,
        "default_extensions": ["mine", "gallery"],
        "mine-new": [1, 2],
    }
    extensions.save([])
    assert "default_extensions" not in file.read_text()
    before = file.read_text()
    for names, parameters in ((["../x"], {}), (["nothing"], {}), ([], {"temperature": 1}), ([], {"other-x": 1})):
        with pytest.raises(BadRequest):
            extensions.save(names, parameters)
    assert file.read_text() == before


@pytest.mark.parametrize(("value", "is_good"), [("3", True), ("'3'", True), ("many", False)])
def test_typed_parameters(tmp_path: Path, value: str, is_good: bool, caplog: pytest.LogCaptureFixture) -> None:
    script = (
        "from dataclasses import dataclass\n\n\n@dataclass(frozen=True)\nclass Mine:\n    count: int = 1\n\n\n"
        "def setup(host):\n    assert host.settings(Mine).count == 3\n"
    )
    write_extension(tmp_path, "mine", script)
    (tmp_path / "settings.yaml").write_text(f"mine-count: {value}\nmine-unknown: 1\n")
    extensions = load_extensions(settings_of(tmp_path, "mine"))
    [info] = [info for info in extensions.available() if info.name == "mine"]
    assert info.is_active is is_good
    assert ("mine-count" in caplog.text) is not is_good
