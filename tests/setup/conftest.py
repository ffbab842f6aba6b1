"""Fixtures of the set-up's tests."""

from pathlib import Path

import pytest

from tests.setup.checkout import Checkout, make


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh copy, in a folder whose name a careless script would split."""
    return make(tmp_path / "a checkout; $(id)")
