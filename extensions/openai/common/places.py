"""Places in a request's body as a header can name them."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Final

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9_.:$\[\]-]+")
_LONGEST: Final = 200
_MOST: Final = 40


def plain_places(places: Iterable[str]) -> tuple[str, ...]:
    """The first of them. Types and names in a place are the caller's: only what is plain stands in a header."""
    return tuple(_NOT_PLAIN.sub("?", place[:_LONGEST]) for place in islice(places, _MOST))
