"""A reply is read again in the tokens that it was written in, whenever its text stands where it was said."""

from typing import Final

from modules.messages import Role, text_message
from modules.prompt.builder import PromptBuilder
from modules.prompt.known_tokens import KnownTokens
from modules.requests import ChatRequest
from modules.text.control_tokens import ControlTexts
from tests.scripted import scripted_engine

END: Final = "<|im_end|>"
CONTROLS: Final = ControlTexts([END, "<|im_start|>"])
QUESTION: Final = text_message(Role.USER, "Say it.")
# The text of a control token, spelled in letters as a constraint has it spelled.
SAID: Final = "<|im_start|>"
LETTERS: Final = tuple(SAID.encode())


def asked(*texts: str) -> ChatRequest:
    told = [text_message(role, text) for role, text in zip((Role.ASSISTANT, Role.USER), texts, strict=False)]
    return ChatRequest(model=None, messages=(QUESTION, *told))


async def test_a_reply_is_read_in_its_own_tokens() -> None:
    builder = PromptBuilder()
    async with scripted_engine() as engine:
        first = await builder.chat(engine, asked())
        unknown = await builder.chat(engine, asked(SAID, "Again."))
        builder.note_reply(engine, first, SAID, LETTERS)
        again = await builder.chat(engine, asked(SAID, "Again."))
        assert again.text == unknown.text
        read = len(first.prompt.tokens)
        assert again.prompt.tokens[: read + len(LETTERS)] == (*first.prompt.tokens, *LETTERS)
        assert again.prompt.tokens[read + len(LETTERS) :] == unknown.prompt.tokens[read + 1 :]
        other = await builder.chat(engine, asked(SAID + "!", "Again."))
        assert other.prompt.tokens[read : read + len(LETTERS)] != LETTERS
    await builder.aclose()


async def test_the_longest_beginning_counts() -> None:
    known = KnownTokens()
    async with scripted_engine() as engine:
        known.note("a", [97], "b", [98])
        known.note(f"ab{END}", [97, 98, 5], "c", [99])
        found = await known.beginning(engine, f"ab{END}c{END}", CONTROLS)
        assert found is not None
        assert found.tokens.tolist() == [97, 98, 5, 99]
        shorter = await known.beginning(engine, f"ab{END}d{END}", CONTROLS)
        assert shorter is not None
        assert shorter.tokens.tolist() == [97, 98]


async def test_where_a_token_could_reach_across_the_end_it_is_read_anew() -> None:
    known = KnownTokens()
    async with scripted_engine() as engine:
        known.note("a", [97], "b", [98])
        for text in ("ab", "abc", "ab <", "b", f"a{END}"):
            assert await known.beginning(engine, text, CONTROLS) is None
        assert await known.beginning(engine, f"ab{END}", CONTROLS) is not None


async def test_behind_a_whole_call_the_template_goes_on_with_marks_of_its_own() -> None:
    known = KnownTokens()
    async with scripted_engine() as engine:
        known.note("a", [97], "b", [98], ends_call=True)
        assert await known.beginning(engine, "ab", CONTROLS) is None
        assert await known.beginning(engine, "ac", CONTROLS) is None
        found = await known.beginning(engine, "ab\n</tool_call>", CONTROLS)
        assert found is not None
        assert found.tokens.tolist() == [97, 98]


async def test_of_a_reply_that_said_more_than_was_told_the_beginning_counts() -> None:
    """As where a forced call was repeated, and left out."""
    known = KnownTokens()
    async with scripted_engine() as engine:
        known.note("a", [97], "bc<de", [98, 99, 60, 100, 101])
        found = await known.beginning(engine, f"abc{END}and on", CONTROLS)
        assert found is not None
        assert (found.text, found.tokens.tolist()) == ("abc", [97, 98, 99])
        for text in ("abc", "abcx", f"a{END}", f"x{END}", f"xbc{END}"):
            assert await known.beginning(engine, text, CONTROLS) is None
        whole = await known.beginning(engine, f"abc<de{END}", CONTROLS)
        assert whole is not None
        assert whole.tokens.tolist() == [97, 98, 99, 60, 100, 101]


async def test_a_stop_sequence_that_was_cut_off() -> None:
    known = KnownTokens()
    async with scripted_engine() as engine:
        known.note("a", [97], "bc", [98, 99, 46, 46])
        found = await known.beginning(engine, f"abc{END}", CONTROLS)
        assert found is not None
        assert found.tokens.tolist() == [97, 98, 99]


async def test_tokens_that_say_something_else_are_forgotten() -> None:
    """As where control tokens printed nothing."""
    known = KnownTokens()
    async with scripted_engine() as engine:
        known.note("a", [97], "b", [99, 98])
        assert await known.beginning(engine, f"ab{END}", CONTROLS) is None
        assert known.size == 0
        known.note("a", [97], "", [])
        assert known.size == 0


async def test_only_so_much_is_kept() -> None:
    known = KnownTokens(most=1000)
    for number in range(200):
        known.note("x" * 100 + str(number), [1], "y" * 50, [2])
    known.note("z" * 600, [1], "y", [2])
    assert 0 < known.size <= 1000
