"""Documents → passages: sizes, overlap, headings, pages, and that nothing of the text is lost."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from modules.library.knowledge.passages import passages_of, token_estimate

SENTENCE = "The keeper winds the clock each morning. "


def test_short_text_is_one_passage() -> None:
    (passage,) = passages_of("One line.\n")
    assert (passage.text, passage.page, passage.heading) == ("One line.", 0, "")


def test_passages_are_of_one_size_and_overlap() -> None:
    passages = passages_of(SENTENCE * 200, tokens=100, overlap=30)
    assert all(token_estimate(each.text) <= 100 for each in passages)
    for before, after in pairwise(passages):
        assert before.start < after.start < before.end


def test_headings_are_those_of_the_section() -> None:
    text = f"# Clocks\n\n{SENTENCE * 20}\n\n## Winding\n\n{SENTENCE * 20}\n\n# Bells\n\n{SENTENCE * 20}"
    headings = [each.heading for each in passages_of(text, tokens=400)]
    assert headings == ["Clocks", "Clocks > Winding", "Bells"]


def test_a_hash_in_code_is_no_heading() -> None:
    text = f"# Setup\n\n```\n# a comment\nrun\n```\n\n{SENTENCE * 20}"
    assert {each.heading for each in passages_of(text)} == {"Setup"}


def test_pages_are_those_on_which_passages_begin() -> None:
    page = SENTENCE * 20 + "\n\n"
    passages = passages_of(page * 3, (0, len(page), 2 * len(page)), tokens=150, overlap=0)
    assert passages[0].page == 1
    assert passages[-1].page == 3
    assert all((each.page - 1) * len(page) <= each.start < each.page * len(page) for each in passages)


def test_scripts_without_spaces_are_cut_too() -> None:
    passages = passages_of("時計は毎朝巻かれる" * 300)
    assert len(passages) > 3
    assert all(token_estimate(each.text) <= 300 for each in passages)


@given(
    st.text(alphabet="ab .\n#`é語", max_size=600),
    st.integers(min_value=4, max_value=60),
    st.integers(min_value=0, max_value=20),
)
def test_every_letter_is_in_a_passage(text: str, tokens: int, overlap: int) -> None:
    passages = passages_of(text, tokens=tokens, overlap=overlap)
    covered = {place for each in passages for place in range(each.start, each.end)}
    assert all(place in covered for place, letter in enumerate(text) if letter.strip())
    assert [each.start for each in passages] == sorted(each.start for each in passages)
    assert all(each.text == text[each.start : each.end].strip() for each in passages)
