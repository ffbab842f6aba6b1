"""A template with the rules of many real ones at once: one system text, first; then user and assistant in turn, a user
among them; one call in a turn, its arguments an object. Results are written as a user's words, so that the scripted
model follows them."""

from pathlib import Path
from typing import Final

STRICT_TEMPLATE: Final = Path(__file__).parent / "strict.jinja"
