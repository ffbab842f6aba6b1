"""Imports Transformers, which takes in torchvision as soon as it finds it, after a broken one is hidden."""

from modules.backends.pytorch import hide_broken_torchvision

hide_broken_torchvision()

import transformers  # noqa: E402 - after what it would break on is hidden

__all__ = ("transformers",)
