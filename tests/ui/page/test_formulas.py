"""Formulas are marked for the page's renderer; money, variables and code are not."""

import pytest

from modules.ui.page.escape import as_written, literal_html, shown_markdown
from modules.ui.page.formulas import MARK


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and then $10 more.",
        "Prices: $1,000-$2,000 (about US$3k).",
        "Use $HOME and $PATH in bash.",
        "I paid $20/month, now it is $25/month.",
        "$5",
        "It's $5.",
        "$5, $10, and $20",
        "$5 (or 5$)",
        "$10 (US$)",
        "pay 5$ or 6$ now",
        "between $5 and 10$",
        "**$5** off, was **10$**",
        "A$5, C$7, R$9 and US$3k",
        "a $10k salary, a US$ salary",
        "$1,000–$2,000 or $3.5M",
        "$100M valuation; $20M raised",
        "win $1 million or $2 billion",
        "the $/€ rate and the €/$ rate",
        "(in $) is 5 and (in US$)",
        "I have $ 5 and you have $ 10",
        "$ 5 - $ 10",
        "价格$5到$10",
        "$5 per day\n\nand 6 x$",
        "\\$5 and \\$10",
        "| a | b |\n|---|---|\n| $5 | $10 |",
        "restaurants: $, $$ and $$$",
        "$$ is cheap and $$$ is not, nor is $$",
        "kill $$ and wait for $$",
        "$HOME/$USER and $PATH:$HOME",
        "${HOME}/${USER} in $(pwd)/$(date)",
        "$_GET and $_POST, $_GET,$_POST",
        "$ ls\n$ cd x",
        "var a = '$x', b = '$y'",
        "`$x$` and ``$$y$$`` and `\\(z\\)`",
        "```sh\necho $x$ and $$ and \\[a\\]\n```",
        "`$HOME` and `$PATH`",
    ],
)
def test_what_is_no_formula(text: str) -> None:
    assert shown_markdown(text) == text


@pytest.mark.parametrize(
    "formula",
    [
        "$x^2$",
        "$$x^2$$",
        "\\(x^2\\)",
        "\\[x^2\\]",
        "$x$",
        "$5$",
        "$0.5$",
        "$-1$",
        "$100\\%$",
        "$\\$5$",
        "$n!$",
        "$x'$",
        "$a^*$",
        "$|x|$",
        "$P(A|B)$",
        "$[0, 1)$",
        "$2x+3=7$",
        "$2 mod 3$",
        "$f(x) = 2 sin(x)$",
        "$3 cm$",
        "$2 \\text{ apples and pears}$",
        "$1, 2, \\dots, n$",
        "$10^{-3}$",
        "$ x $",
        "$ x^2 + 1 $",
        "$$ a = b $$",
        "$$\nx = 1\n$$",
        "$$area$$",
        "$$\n\\int_0^1 x\\,dx\n\n= \\frac{1}{2}\n$$",
    ],
)
def test_what_is_a_formula(formula: str) -> None:
    marked = f"{MARK}{formula}{MARK}"
    assert shown_markdown(formula) == marked
    assert as_written(marked) == formula
    assert literal_html(formula) == formula


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("I paid $5 for $x^2$ and $10 for $y$.", "I paid $5 for ¦$x^2$¦ and $10 for ¦$y$¦."),
        ("It costs $5, where $x$ is 3 and $y_1$ is $7.", "It costs $5, where ¦$x$¦ is 3 and ¦$y_1$¦ is $7."),
        ("the $n$th of $x_i$s, a $k$-mean", "the ¦$n$¦th of ¦$x_i$¦s, a ¦$k$¦-mean"),
        ("CO$_2$, 3$\\times$3, 25$^\\circ$C", "CO¦$_2$¦, 3¦$\\times$¦3, 25¦$^\\circ$¦C"),
        ("设$x$为整数, ($y$), **$z$**", "设¦$x$¦为整数, (¦$y$¦), **¦$z$¦**"),
        ("`$a$` but $b$", "`$a$` but ¦$b$¦"),
        ("$5 <b> and $a<b$", "$5 &#60;b> and ¦$a<b$¦"),
        ("$5 and \\(a\\) and $10", "$5 and ¦\\(a\\)¦ and $10"),
    ],
)
def test_both_in_one_paragraph(text: str, shown: str) -> None:
    marked = shown.replace("¦", MARK)
    assert shown_markdown(text) == marked
    assert as_written(marked) == text


@pytest.mark.parametrize("piece", ["$5 and ", "$x$ ", "$$ ", "$$$ ", "$ ", "\\$", "$a\n", "`$", "$($["])
def test_a_long_text_takes_time_in_proportion(piece: str) -> None:
    text = piece * 20_000
    assert as_written(shown_markdown(text)) == text
