"""The page's settings and a conversation → a chat request."""

import pytest

from modules.chat.session import session
from modules.errors import BadRequest
from modules.library.chats.history import History
from modules.library.users import User
from modules.messages import Role
from modules.requests import Mode
from modules.settings.values import Settings
from modules.ui.replies.requests import banned_tokens, chat_request, stop_strings

YOU = User("You", "likes tea")


def asked(**settings: object) -> Settings:
    return Settings().with_changes(settings)


def test_everything_that_was_entered_is_asked_for() -> None:
    settings = asked(
        temperature=0.5,
        seed=7,
        auto_max_new_tokens=False,
        max_new_tokens=9,
        custom_stopping_strings='"END"',
        custom_token_bans="3, 4",
        ban_eos_token=True,
        grammar_string='root ::= "a"',
        custom_system_message="Be brief.",
        enable_thinking=False,
    )
    request = chat_request(settings, session.with_message(History(), "hi"), YOU)
    assert [(message.role, message.text) for message in request.messages] == [
        (Role.SYSTEM, "Be brief."),
        (Role.USER, "hi"),
    ]
    assert (request.sampling.temperature, request.sampling.seed) == (0.5, 7)
    assert request.sampling.banned_tokens == (3, 4)
    assert (request.limits.max_tokens, request.limits.stop, request.limits.ignore_eos) == (9, ("END",), True)
    assert request.constraint is not None
    assert request.template_arguments["enable_thinking"] is False
    assert request.truncates


def test_by_default_nothing_is_held_back() -> None:
    request = chat_request(Settings(), session.with_message(History(), "hi"), YOU)
    assert (request.limits.max_tokens, request.sampling.seed, request.constraint) == (None, None, None)
    assert request.persona.mode is Mode.INSTRUCT


def test_in_chat_mode_the_character_speaks() -> None:
    settings = asked(mode="chat", character="Example", custom_system_message="Be brief.")
    request = chat_request(settings, session.with_message(History(), "hi"), YOU)
    assert (request.persona.mode, request.persona.character) == (Mode.CHAT, "Example")
    assert (request.persona.user_name, request.persona.user_bio) == ("You", "likes tea")
    assert [message.role for message in request.messages] == [Role.USER]


@pytest.mark.parametrize(
    ("text", "strings"),
    [("", ()), ('"a", "\\n"', ("a", "\n")), ("'###'", ("###",)), ('"it\'s"', ("it's",))],
)
def test_stop_strings_stand_in_quotes(text: str, strings: tuple[str, ...]) -> None:
    assert stop_strings(text) == strings


@pytest.mark.parametrize("text", ["END", '"a" "b"', '""', "1", '["a"]'])
def test_stop_strings_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        stop_strings(text)
    assert refusal.value.param == "custom_stopping_strings"


@pytest.mark.parametrize("text", ["a", "-1", "1.5", "1 2", "9" * 10])
def test_bans_are_ids(text: str) -> None:
    with pytest.raises(BadRequest):
        banned_tokens(text)
