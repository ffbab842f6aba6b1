"""Cutting texts and bytes into pieces at given places."""

from itertools import pairwise
from typing import TypeVar

T = TypeVar("T", str, bytes)


def cut(whole: T, places: list[int]) -> list[T]:
    """The pieces between `places`; those beyond the end divide nothing."""
    edges = sorted({0, len(whole), *(place for place in places if place < len(whole))})
    return [whole[start:end] for start, end in pairwise(edges)]
