"""Macros of character cards stand for names, choices, dates; the same in every turn of a conversation."""

from datetime import UTC, datetime

import pytest

from modules.prompt.characters.macros import Macros

NOW = datetime(2026, 3, 9, 7, 5, tzinfo=UTC)
MACROS = Macros(user="Bo", char="Ann", seed="chat", now=NOW, words={"persona": "A sailor."})


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{user}} and {{ CHAR }}, <USER>, <bot>, <Char>", "Bo and Ann, Bo, Ann, Ann"),
        ("{{date}} {{time}} {{weekday}} {{isodate}}", "March 09, 2026 07:05 Monday 2026-03-09"),
        ("a{{// not told}}b{{comment: nor this}}c{{hidden_key:ship}}d", "abcd"),
        ("{{reverse:{{user}}!}}", "!oB"),
        ("{{random:one\\, two}}", "one, two"),
        ("{{persona}}{{newline}}{{trim}}", "A sailor.\n"),
        ("{{unknown}} {{getvar::x}} {{user", "{{unknown}} {{getvar::x}} {{user"),
        ("}} {{{user}}} <user", "}} {Bo} <user"),
        ("{{roll:0}} {{roll:x}}", "{{roll:0}} {{roll:x}}"),
        ("{{}}{{:}}", "{{}}{{:}}"),
    ],
)
def test_macros(text: str, filled: str) -> None:
    assert MACROS.filled(text) == filled


def test_choices_are_the_same_in_a_chat_and_differ_between_chats_and_places() -> None:
    text = "{{random:a,b,c,d,e,f,g,h}}{{pick::a::b::c::d::e::f::g::h}}{{roll:d1000}} {{roll:2d6+1}}"
    assert MACROS.filled(text) == MACROS.filled(text)
    others = {Macros(user="Bo", char="Ann", seed=str(seed), now=NOW).filled(text) for seed in range(20)}
    assert len(others) > 15
    drawn = [MACROS.filled("{{roll:6}}" * 60)[place] for place in range(60)]
    assert set(drawn) == set("123456")


def test_dice_stay_within_their_sides() -> None:
    rolls = [int(Macros(user="", char="", seed=str(seed)).filled("{{roll:2d6+1}}")) for seed in range(300)]
    assert (min(rolls), max(rolls)) == (3, 13)
    assert {Macros(user="", char="", seed=str(seed)).filled("{{roll:12}}") for seed in range(300)} == set(
        map(str, range(1, 13))
    )


def test_hidden_keys_are_there_for_the_search_only() -> None:
    assert Macros(user="", char="", is_scan=True).filled("x {{hidden_key:ship}}{{comment:no}}") == "x ship"


def test_names_are_not_read_for_macros() -> None:
    assert Macros(user="{{char}}", char="Ann").filled("{{user}} {{reverse:{{user}}}}") == "{{char}} }}rahc{{"


def test_many_macros_do_not_fill_the_memory() -> None:
    macros = Macros(user="x" * 100_000, char="Ann")
    assert len(macros.filled("{{user}}" * 10_000)) < 5 * 2**20
    assert len(macros.filled("{{" * 100_000 + "user" + "}}" * 100_000)) < 2**20
