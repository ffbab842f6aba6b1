"""What the Model tab's line says of a loaded model."""

from typing import Any

import pytest

from modules.models.state import ModelState, Status
from modules.ui.model.texts import state_text
from tests.scripted import scripted_card


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"modalities": ("text",)}, "(scripted, 2,048 tokens of context)"),
        ({}, "(scripted, 2,048 tokens of context, reads pictures and sounds)"),
        (
            {"modalities": ("text", "image"), "projector": "mmproj-F16.gguf"},
            r"(scripted, 2,048 tokens of context, reads pictures with mmproj\-F16\.gguf)",
        ),
        (
            {"modalities": ("text", "audio"), "projector": "mmproj.gguf", "adapters": ("a",)},
            r"(scripted, 2,048 tokens of context, reads sounds with mmproj\.gguf, LoRA: a)",
        ),
    ],
)
def test_what_a_model_reads(claims: dict[str, Any], told: str) -> None:
    card = scripted_card(**{"context": 2048, **claims})
    assert state_text(ModelState(status=Status.READY, name="m", card=card)) == f"**m** is loaded {told}."
