"""Finding markers in text that comes in pieces, holding back no more than what may yet become one."""

import re
from collections.abc import Iterable


class MarkerScanner:
    """Finds the first of `markers`, none of which is the beginning of another."""

    def __init__(self, markers: Iterable[str]) -> None:
        known = tuple(markers)
        self._whole = re.compile("|".join(map(re.escape, known)) or r"(?!)")
        self._beginnings = frozenset(marker[:length] for marker in known for length in range(1, len(marker)))
        self._longest = max(map(len, self._beginnings), default=0)

    def find(self, text: str, start: int) -> tuple[int, str]:
        """Where text from `start` on stops being sure to be no marker, and the marker that stands there, if complete."""
        found = self._whole.search(text, start)
        if found is not None:
            return found.start(), found.group()
        for length in range(min(self._longest, len(text) - start), 0, -1):
            if text[-length:] in self._beginnings:
                return len(text) - length, ""
        return len(text), ""
