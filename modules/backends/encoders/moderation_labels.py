"""Labels of text classifiers → OpenAI's categories of moderation.

The names are those of the data sets that classifiers are trained on: Jigsaw's toxic comments, hate speech, the hazards of
MLCommons (S1 to S14, as in Llama Guard), OpenAI's own and their short forms (H, HR, SH …).
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

_NO_LETTERS: Final = re.compile(r"[^a-z0-9]+")

_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "harassment": ("harassment",),
        "harassment_threatening": ("harassment/threatening",),
        "hate": ("hate",),
        "hate_threatening": ("hate/threatening",),
        "illicit": ("illicit",),
        "illicit_violent": ("illicit/violent",),
        "self_harm": ("self-harm",),
        "self_harm_intent": ("self-harm/intent",),
        "self_harm_instructions": ("self-harm/instructions",),
        "sexual": ("sexual",),
        "sexual_minors": ("sexual/minors",),
        "violence": ("violence",),
        "violence_graphic": ("violence/graphic",),
        # Jigsaw. What is obscene there is mostly swearing.
        "toxic": ("harassment",),
        "toxicity": ("harassment",),
        "severe_toxic": ("harassment",),
        "severe_toxicity": ("harassment",),
        "obscene": ("harassment",),
        "insult": ("harassment",),
        "threat": ("violence", "harassment/threatening"),
        "identity_hate": ("hate",),
        "identity_attack": ("hate",),
        "sexual_explicit": ("sexual",),
        # Hate speech, offensive language and others.
        "hateful": ("hate",),
        "hate_speech": ("hate",),
        "hatespeech": ("hate",),
        "racism": ("hate",),
        "sexism": ("hate",),
        "offensive": ("harassment",),
        "offensive_language": ("harassment",),
        "abusive": ("harassment",),
        "bullying": ("harassment",),
        "cyberbullying": ("harassment",),
        "violent": ("violence",),
        "suicide": ("self-harm",),
        "suicidal": ("self-harm",),
        "nsfw": ("sexual",),
        "porn": ("sexual",),
        "sexually_explicit": ("sexual",),
    }
)
_SHORT: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "h": ("hate",),
        "h2": ("hate/threatening",),
        "hr": ("harassment",),
        "s": ("sexual",),
        "s3": ("sexual/minors",),
        "sh": ("self-harm",),
        "v": ("violence",),
        "v2": ("violence/graphic",),
    }
)
# Of defamation, advice, privacy, property and elections OpenAI has no categories.
_HAZARDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "s1": ("violence", "illicit/violent"),
        "s2": ("illicit",),
        "s3": ("sexual",),
        "s4": ("sexual/minors",),
        "s9": ("illicit/violent",),
        "s10": ("hate",),
        "s11": ("self-harm",),
        "s12": ("sexual",),
        "s14": ("illicit",),
    }
)
# What only one of the two sets of short names has.
_MARKS: Final = (({"h2", "hr"}, _SHORT), ({"s1", "s10"}, _HAZARDS))
_HARMLESS: Final = frozenset(
    (
        *("neutral", "normal", "safe", "ok", "none", "clean", "benign", "sfw", "neither", "acceptable", "harmless"),
        *("non_toxic", "nontoxic", "not_toxic", "no_hate", "not_hate", "nothate", "non_hate"),
        *("not_offensive", "non_offensive", "inoffensive", "not_abusive", "non_abusive", "non_violence", "non_suicide"),
    )
)


def categories_of(labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Those that each label stands for; none for labels that are harmless or not known."""
    names = [_plain(label) for label in labels]
    table = dict(_NAMES)
    for marks, further in _MARKS:
        if marks <= set(names):
            table |= further
    return [table.get(name, ()) for name in names]


def is_moderation(labels: Sequence[str]) -> bool:
    """Whether any of them stands for a category."""
    return any(categories_of(labels))


def is_harmless(label: str) -> bool:
    return _plain(label) in _HARMLESS


def _plain(label: str) -> str:
    return _NO_LETTERS.sub("_", label.lower()).strip("_")
