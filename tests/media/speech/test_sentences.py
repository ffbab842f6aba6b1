"""What of a text is said, and where its sentences end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.media.speech.plain_text import spoken_text
from modules.media.speech.sentences import MAX_CHARACTERS, GrowingText, sentences
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
