"""Two hundred texts of many kinds and lengths, whose vectors sentence-transformers has computed once."""

from pathlib import Path
from typing import Final

VECTORS: Final = Path(__file__).with_name("embedding_vectors.npz")

_SENTENCES: Final = (
    "The library closes at six on weekdays.",
    "How do I change the default port of the server?",
    "Photosynthesis turns light into chemical energy.",
    "She paid 1,299.50 dollars for the bicycle in May 2019.",
    "def area(radius):\n    return 3.14159 * radius ** 2",
    "SELECT name, price FROM items WHERE price < 20 ORDER BY name;",
    "Der Zug nach München fährt um 8:15 Uhr von Gleis 9 ab.",
    "El gato duerme sobre la mesa de la cocina.",
    "Où se trouve la gare, s'il vous plaît ?",
    "今日はとても良い天気です。",
    "Москва — столица России.",
    "القطة تجلس على السجادة",
    "Error: connection refused (ECONNREFUSED 127.0.0.1:5000)",
    "A happy person smiles at a happy dog 🐶🙂",
    "https://example.org/path?query=1#fragment",
    "don't can't won't it's we're",
    "ALL CAPITAL LETTERS, AND THEN some small ones",
    "café naïve résumé coöperate",
    "antidisestablishmentarianism floccinaucinihilipilification",
    '{"key": [1, 2, 3], "other": null}',
)
_TOPICS: Final = (
    "astronomy",
    "bread baking",
    "contract law",
    "deep-sea fishing",
    "electric cars",
    "football",
    "gardening",
    "housing prices",
    "immunology",
    "jazz",
)
_FRAMES: Final = (
    "What is the first thing to know about {}?",
    "A short history of {} in three chapters, with pictures and a map.",
    "{}",
    "Nobody in our family has ever cared for {}, least of all my uncle, who keeps bees.",
    "Title: {}\n\nSummary: it depends.",
    "   {}   with white space around\t\n",
    "I would rather read about {} than about politics or the weather; what do you recommend to a beginner?",
    "[CLS] {} [SEP] [MASK] <s> </s>",
)
_ODD: Final = ("", " ", "a", "?!", "\u200b", "[CLS]", "0", "\n\n", "…", "é")


def texts() -> list[str]:
    """The last ones are longer than the models read."""
    short = [*_ODD, *_SENTENCES, *(frame.format(topic) for frame in _FRAMES for topic in _TOPICS)]
    joined = [f"{first} {second}" for first, second in zip(_SENTENCES, reversed(_SENTENCES), strict=True)]
    grown = [" ".join([sentence] * (2 + number)) for number, sentence in enumerate(_SENTENCES * 2)]
    lists = ["; ".join(f"{topic} {count}" for topic in _TOPICS[: count % 10 + 1]) for count in range(20)]
    long = [" ".join(_SENTENCES[number % 20 :] * (number + 2)) for number in range(10)]
    return [*short, *joined, *grown, *lists, *long]
