"""How long a model is to reason: the words that requests have for it, and those that a chat template takes."""

import re
from collections.abc import Collection
from typing import Final

# Templates have two names for the same thing.
NAMES: Final = ("reasoning_effort", "thinking_effort")
WORDS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
OFF: Final = ("none", "no_think")
# What models were trained on where a template prints the word and names none itself.
_USUAL: Final = ("low", "medium", "high")
_QUOTED: Final = re.compile(rf"""['"]({"|".join((*WORDS, "no_think"))})['"]""")


def nearest_effort(wish: str, taken: Collection[str], source: str) -> str | None:
    """The word for `wish` that is given to the template `source`, which refuses all words but those `taken`; of two as
    near the longer. None where it takes none, or where nobody knows what was wished for."""
    known = frozenset(_QUOTED.findall(source))
    if wish in taken and (wish in known or wish in _USUAL):
        return wish
    if wish not in WORDS:
        return None
    usable = [word for word in WORDS if word in taken and word not in OFF and (word in known or word in _USUAL)]
    place = WORDS.index(wish)
    return min(usable, key=lambda word: (abs(WORDS.index(word) - place), -WORDS.index(word)), default=None)


def no_effort(taken: Collection[str], source: str) -> str | None:
    """The word by which the template is told not to let the model think, if it has one."""
    known = frozenset(_QUOTED.findall(source))
    return next((word for word in OFF if word in known and word in taken), None)
