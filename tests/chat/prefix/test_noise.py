"""What clients add at every request: left out where it is noise, kept where somebody says it."""

import pytest

from modules.chat.prefix.noise import with_whole_hours, without_billing, without_counters
from modules.messages import Message, Role, TextPart, text_message

BILLING = "x-anthropic-billing-header: cc_version=2.1.36.a1b; cc_entrypoint=cli; cch={};"
COUNTER = "<total_tokens>{} tokens left</total_tokens>"
QUESTION = text_message(Role.USER, "Hi")


def system(text: str) -> Message:
    return text_message(Role.SYSTEM, text)


def parts(role: Role, *texts: str) -> Message:
    return Message(role=role, parts=tuple(map(TextPart, texts)))


@pytest.mark.parametrize(
    "text",
    [BILLING + "\nYou are an agent.\nRules.", BILLING + "\n\nYou are an agent.\nRules."],
    ids=["one line", "a blank line after it"],
)
def test_the_billing_line_is_left_out(text: str) -> None:
    for code in ("00000", "fa1c2"):
        turns = without_billing([system(text.format(code)), QUESTION])
        assert turns == (system("You are an agent.\nRules."), QUESTION)


def test_a_system_text_of_that_line_alone_is_none() -> None:
    assert without_billing([system(BILLING), QUESTION]) == (QUESTION,)
    assert without_billing([parts(Role.SYSTEM, BILLING, "Rules."), QUESTION])[0] == parts(Role.SYSTEM, "Rules.")


def test_the_same_words_elsewhere_are_text() -> None:
    said = [system(f"What is this? {BILLING}"), text_message(Role.USER, BILLING)]
    assert without_billing(said) == tuple(said)


@pytest.mark.parametrize("number", ["14999436", "1,234", "0"])
def test_counters_are_left_out(number: str) -> None:
    counter = COUNTER.format(number)
    reminder = f"<system-reminder>\n{counter}\n</system-reminder>"
    assert without_counters([QUESTION, system(counter)]) == (QUESTION,)
    assert without_counters([system(f"Rules.\n{counter}\nMore."), QUESTION])[0].text == "Rules.\nMore."
    assert without_counters([system(f"Rules.\n\n{counter}\n{counter}\n"), QUESTION])[0].text == "Rules."
    for told in (f"Go on.\n{counter}", f"{counter}\nGo on.", f"Go on.\n\n{reminder}", f"{reminder}\n\nGo on."):
        assert without_counters([text_message(Role.USER, told)]) == (text_message(Role.USER, "Go on."),)
    assert without_counters([parts(Role.USER, "Go on.", counter)]) == (text_message(Role.USER, "Go on."),)


def test_who_speaks_of_counters_is_heard() -> None:
    said = (
        text_message(Role.USER, f"What does {COUNTER.format(5)} mean?"),
        text_message(Role.USER, f"Look:\n{COUNTER.format(5)}\nWhat is it?"),
        text_message(Role.TOOL, COUNTER.format(5)),
        text_message(Role.ASSISTANT, COUNTER.format(5)),
        system("<total_tokens>many tokens left</total_tokens>"),
    )
    assert without_counters(said) == said


def test_a_conversation_of_nothing_but_noise_stays() -> None:
    alone = (text_message(Role.USER, COUNTER.format(5)),)
    assert without_counters(alone) == alone


def test_what_has_no_noise_is_the_same_object() -> None:
    turns = (system("Rules.\n"), QUESTION)
    for clean in (without_billing, without_counters, with_whole_hours):
        assert all(new is old for new, old in zip(clean(turns), turns, strict=True))


@pytest.mark.parametrize(
    ("told", "rounded"),
    [
        ("It is 14:05.", "It is 14:00."),
        ("2026-11-30T14:05:33.123Z", "2026-11-30T14:00:00Z"),
        ("9:59 PM", "9:00 PM"),
        ("ratio 3:45:61, port 127.0.0.1:8080", "ratio 3:45:61, port 127.0.0.1:8080"),
    ],
)
def test_times_are_rounded_to_the_hour(told: str, rounded: str) -> None:
    assert with_whole_hours([system(told), text_message(Role.USER, told)]) == (
        system(rounded),
        text_message(Role.USER, told),
    )
