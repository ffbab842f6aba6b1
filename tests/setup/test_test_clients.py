"""The clients that the tests run are installed once, and anew when other ones are asked for."""

import shutil

import pytest

from installer.console import Console
from installer.failures import StepFailed
from installer.test_clients import ClientSet, is_there
from tests.setup.checkout import Checkout


@pytest.fixture
def asked(checkout: Checkout) -> Checkout:
    checkout.layout.client_requirements.parent.mkdir(parents=True)
    checkout.layout.client_requirements.touch()
    checkout.layout.client_packages.write_text('{"private": true}', encoding="utf-8")
    return checkout


def test_nothing_is_lacking_where_nothing_is_asked_for(checkout: Checkout) -> None:
    assert is_there(checkout.layout)


def test_clients_are_installed_once_for_what_is_asked(asked: Checkout) -> None:
    assert not is_there(asked.layout)
    ClientSet(asked.layout, Console()).install()
    assert is_there(asked.layout)
    assert (asked.layout.test_clients / "venv" / "pyvenv.cfg").is_file()
    assert (asked.layout.test_clients / "package.json").is_file() == (shutil.which("npm") is not None)
    asked.layout.client_packages.write_text('{"private": false}', encoding="utf-8")
    assert not is_there(asked.layout)


def test_what_cannot_be_had_is_named_and_not_taken_for_installed(
    asked: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    asked.layout.client_requirements.write_text("no-such-package==1.0\n", encoding="utf-8")
    with pytest.raises(StepFailed, match="clients of the tests"):
        ClientSet(asked.layout, Console()).install()
    assert not is_there(asked.layout)
