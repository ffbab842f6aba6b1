"""--upstream and --upstream-key: what is read from them, and what is refused."""

from pathlib import Path

import pytest

from modules.errors import SettingsError
from modules.settings.flags import parse
from modules.settings.groups.upstream import UpstreamAddress
from modules.settings.values import Settings


def _settings(tmp_path: Path, *argv: str) -> Settings:
    return parse(["--user-data-dir", str(tmp_path), *argv], {})


@pytest.mark.parametrize(
    "argv",
    [
        ("--upstream", "a=http://h:1/v1,http://h:2/v1/", "--upstream", "b.c=https://x/v1"),
        ("--upstream", "a=http://h:1/v1", "a=http://h:2/v1", "b.c=https://x/v1"),
        ("--upstream=a=http://h:1/v1,http://h:2/v1,http://h:1/v1", "--upstream=b.c=https://x/v1"),
    ],
)
def test_upstreams_are_named_servers(tmp_path: Path, argv: tuple[str, ...]) -> None:
    assert _settings(tmp_path, *argv).upstreams == (
        UpstreamAddress("a", ("http://h:1/v1", "http://h:2/v1")),
        UpstreamAddress("b.c", ("https://x/v1",)),
    )


@pytest.mark.parametrize(
    "value", ["http://h/v1", "a=", "a=h:1/v1", "=http://h/v1", "a/b=http://h/v1", "a=ftp://h/v1", "a=http://me:pw@h/v1"]
)
def test_upstream_that_is_no_named_server_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match="upstream"):
        _settings(tmp_path, "--upstream", value)


def test_keys_belong_to_upstreams_and_are_secrets(tmp_path: Path) -> None:
    settings = _settings(tmp_path, "--upstream", "a=http://h/v1", "--upstream-key", "a=sk=1")
    assert settings.upstream_keys == {"a": "sk=1"}
    assert "sk=1" in settings.secrets
    assert "sk=1" not in repr(settings)


@pytest.mark.parametrize("value", ["b=secret", "secret", "a=se cret"])
def test_key_that_belongs_to_none_is_refused_unseen(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _settings(tmp_path, "--upstream", "a=http://h/v1", "--upstream-key", value)
    assert "secret" not in caught.value.message


def test_key_can_come_from_the_environment(tmp_path: Path) -> None:
    argv = ["--user-data-dir", str(tmp_path), "--upstream", "a=http://h/v1"]
    assert parse(argv, {"OPENEDAI_UPSTREAM_KEY": "a=k"}).upstream_keys == {"a": "k"}
