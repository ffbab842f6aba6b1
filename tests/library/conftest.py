"""A user data folder with a secret beside every folder in it."""

from pathlib import Path

import pytest

from modules.library.library import Library
from modules.paths import UserData
from tests.library.names import CANARY


@pytest.fixture
def data(tmp_path: Path) -> UserData:
    data = UserData(tmp_path / "user_data")
    for folder in (data.characters, data.users, data.presets, data.instruction_templates, data.grammars, data.models):
        folder.mkdir(parents=True)
    for suffix in ("", ".yaml", ".yml", ".json", ".jinja", ".gbnf", ".png"):
        (data.root / f"canary{suffix}").write_text(f"name: {CANARY}\n", encoding="utf-8")
    return data


@pytest.fixture
def library(data: UserData) -> Library:
    return Library(data)
