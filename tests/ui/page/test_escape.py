"""Tags are text where a page would take them for HTML, and nothing else changes."""

import pytest

from modules.ui.page.escape import as_written, literal_html


@pytest.mark.parametrize(
    "text",
    [
        "no tags at all",
        "1 < 2 and a <- b",
        "```html\n<div>\n```",
        "~~~\n<b>\n~~~\nafter",
        "use `<div>` or ``<a `b>``",
        "the sum $a<b$ and $$x<y$$ and \\(p<q\\)",
        "```\n<unclosed fence>",
    ],
)
def test_what_is_no_tag_of_the_page_stays(text: str) -> None:
    assert literal_html(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a <div> b", "a &#60;div> b"),
        ("</script><img src=x>", "&#60;/script>&#60;img src=x>"),
        ("<!-- no -->", "&#60;!-- no -->"),
        ("`<a>` then <b>", "`<a>` then &#60;b>"),
        ("```\n<a>\n```\n<b>", "```\n<a>\n```\n&#60;b>"),
        ("costs $5 <b> and $6", "costs $5 &#60;b> and $6"),
        ("a ` alone <b>", "a ` alone &#60;b>"),
    ],
)
def test_a_tag_in_words_becomes_text_and_back(text: str, shown: str) -> None:
    assert literal_html(text) == shown
    assert as_written(shown) == text


def test_a_long_text_takes_little_time() -> None:
    text = "<b>`x` $y$ ``` " * 20_000
    assert literal_html(text).count("&#60;") > 0
