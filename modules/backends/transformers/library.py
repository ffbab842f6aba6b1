"""Imports Transformers, after a torchvision that it would break on is hidden."""

from modules.backends.pytorch import hide_broken_torchvision

hide_broken_torchvision()

import transformers  # noqa: E402 - it imports torchvision wherever it finds one

__all__ = ("transformers",)
