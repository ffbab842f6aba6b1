"""What of a text is said, and where its sentences end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.media.speech.plain_text import spoken_text
from modules.media.speech.sentences import MAX_CHARACTERS, GrowingText, Sentence, opening, sentences
from tests.effort import effort_ratio

TEXT = """# Title here
Dr. Smith met J. R. Tolkien at 3.14 p.m. in the U.S. Army. It was **great**, e.g. fun! See [the docs](https://x.y/z) \
or https://www.example.com/a?b. "Really?" he said. OK 😀👍🏽 fine…

```python
print("x. Y")
```
1. First item
2. Second item: `code`
- [x] done

| a | b |
|---|---|
| 1 | 2 |

今日は晴れ。明日は雨！ The company is Apple Inc. It is big.
snake_case_name and 2*3*4 stay <b>bold</b> &amp; x"""
SAID = [
    "Title here.",
    "Dr. Smith met J. R. Tolkien at 3.14 p.m. in the U.S. Army.",
    "It was great, e.g. fun!",
    "See the docs or example.com.",
    '"Really?" he said.',
    "OK fine…",
    "1. First item.",
    "2. Second item: code.",
    "done.",
    "a, b.",
    "1, 2.",
    "今日は晴れ。",
    "明日は雨！",
    "The company is Apple Inc.",
    "It is big.",
    "snake_case_name and 2*3*4 stay bold & x",
]


def test_marks_are_left_out_and_sentences_found() -> None:
    assert [each.text for each in sentences(TEXT)] == SAID


@pytest.mark.parametrize("step", [1, 7, 50])
def test_a_growing_text_gives_the_same_sentences_once(step: int) -> None:
    growing, said = GrowingText(), []
    for end in range(0, len(TEXT), step):
        said += growing.take(TEXT[:end])
    said += growing.finish(TEXT)
    assert [each.text for each in said] == SAID


def test_a_sentence_is_given_as_soon_as_the_next_begins() -> None:
    growing = GrowingText()
    assert growing.take("Hello there. ") == []
    assert [each.text for each in growing.take("Hello there. I")] == ["Hello there."]
    assert growing.take("Hello there. I am") == []
    assert [each.text for each in growing.finish("Hello there. I am")] == ["I am"]


def test_an_open_block_of_code_is_waited_for() -> None:
    growing = GrowingText()
    assert growing.take("```\na. B. C\n\nd\n") == []
    assert [each.text for each in growing.take("```\na. B. C\n\nd\n```\nNow this. And")] == ["Now this."]


def test_plain_text_is_said_as_it_is() -> None:
    assert [each.text for each in sentences("*a* `b`. C", is_plain=True)] == ["*a* `b`.", "C"]


@pytest.mark.parametrize("text", ["", "😀", "```\ncode\n```", "---", "... !"])
def test_what_has_no_words_has_no_sentence(text: str) -> None:
    assert sentences(text) == []


@given(st.text(alphabet="ab .,!?\n*_`[]()|#-<>\"'1。é", max_size=300))
def test_no_word_is_lost_and_no_sentence_too_long(text: str) -> None:
    found = sentences(text)
    assert all(0 < len(each.text) <= MAX_CHARACTERS for each in found)
    said = "".join(letter for each in found for letter in each.text if letter.isalnum())
    assert said == "".join(letter for letter in spoken_text(text) if letter.isalnum())


@pytest.mark.parametrize("piece", ["a", ". ", "[(", "<a ", "*_", "A.", "https://", "word, ", "\n", "- ", "|-", "```\n"])
def test_the_effort_grows_with_the_length_alone(piece: str) -> None:
    short, long = (piece * 64_000)[:8_000], (piece * 64_000)[:64_000]
    assert effort_ratio(lambda: sentences(long), lambda: sentences(short)) < 24


def test_a_reading_begins_with_a_clause_and_goes_on_with_longer_ones() -> None:
    text = (
        "Once the rain had stopped, the children ran into the garden, where the old apple tree stood; under it, "
        "hidden by the grass and the leaves, they found a ball that somebody had lost there years ago, it seemed."
    )
    found = opening(Sentence(text, 0.5))
    assert " ".join(each.text for each in found) == text
    assert [each.text for each in found[:2]] == [
        "Once the rain had stopped,",
        "the children ran into the garden, where the old apple tree stood;",
    ]
    lengths = [len(each.text) for each in found]
    assert all(later <= max(100, 2.6 * earlier) for earlier, later in pairwise(lengths))
    assert [each.pause for each in found[1:-1]] == [found[0].pause] * (len(found) - 2)
    assert found[-1].pause == 0.5


@pytest.mark.parametrize(
    "text",
    [
        "A short one, with a comma.",
        "A sentence that is not much longer is said as a whole.",
        "Yes, a clause of one word is no sound of its own.",
        "The price of the two houses was 1,250,000 and then 2,500,000.",
    ],
)
def test_what_is_short_or_has_no_clauses_stays_whole(text: str) -> None:
    assert opening(Sentence(text, 0.25)) == [Sentence(text, 0.25)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (
            "The people of the small village had waited for the first train of the year that would bring them the news.",
            "The people of the small village had waited",
        ),
        (
            "The committee discussed the plans for the new library and then voted to postpone the decision until spring.",
            "The committee discussed the plans",
        ),
        (
            "A walk through the old town is best begun early in the morning when the streets are empty, and ends there.",
            "A walk through the old town is best begun early",
        ),
        (
            "Die Kinder liefen am frühen Morgen zusammen mit ihren Eltern durch den Wald bis zu dem alten Haus am See.",
            "Die Kinder liefen am frühen Morgen zusammen",
        ),
    ],
)
def test_a_long_clause_is_begun_with_a_phrase(text: str, first: str) -> None:
    found = opening(Sentence(text, 0.25))
    assert " ".join(each.text for each in found) == text
    assert (found[0].text, found[0].pause, found[-1].pause) == (first, 0.0, 0.25)


@given(st.text("ab ,;:。，", max_size=300))
def test_no_word_of_the_opening_is_lost(text: str) -> None:
    found = opening(Sentence(text, 0.25))
    assert "".join(each.text for each in found).replace(" ", "") == text.replace(" ", "")
