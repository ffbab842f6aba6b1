"""With the templates of 70 real models a conversation that goes on begins with what was read before, system texts within it too."""

from pathlib import Path
from typing import Final

import pytest

from modules.messages import Role, text_message
from modules.requests import PREFIX_REPAIRS, ChatRequest
from tests.model_files import template_files
from tests.prompt.test_real_templates import Ours

TEMPLATES: Final = pytest.mark.parametrize("path", template_files(), ids=lambda path: path.stem)
S, U, A = Role.SYSTEM, Role.USER, Role.ASSISTANT
# Later system texts stand where Claude Code has them: after a question, and after a reply.
ROLES: Final = (S, U, S, A, U, A, S, U, A, U, S)
TURNS: Final = tuple(text_message(role, f"kq{number}text.") for number, role in enumerate(ROLES))
MOVES: Final = "deepseek-ai-DeepSeek-V3.1"
# Its model was trained with the system text in the last question, so that each question changes the one before.
ASKS_WITH_SYSTEM: Final = "mistralai-Mistral-Nemo-Instruct-2407"


def asked(end: int, *repairs: str) -> ChatRequest:
    return ChatRequest(model=None, messages=TURNS[:end], prefix_repair=repairs)


def begun(one: str, other: str) -> str:
    """What both texts begin with."""
    same = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return one[:same]


@TEMPLATES
async def test_each_prompt_begins_with_the_one_before(path: Path, tmp_path: Path) -> None:
    ours = Ours(path, tmp_path)
    ends = [end for end in range(2, len(TURNS) + 1) if ROLES[end - 1] is not A and (*ROLES, A)[end] is A]
    texts = [(await ours.written(asked(end, *PREFIX_REPAIRS))).text for end in ends]
    for text, longer, end in zip(texts, texts[1:], ends, strict=False):
        said = begun(text, longer)
        assert path.stem == ASKS_WITH_SYSTEM or all(turn.text in said for turn in TURNS[:end]), (end, said)


async def test_without_the_repair_the_template_moves_them(tmp_path: Path) -> None:
    [path] = [path for path in template_files() if path.stem == MOVES]
    ours = Ours(path, tmp_path)
    texts = [(await ours.written(asked(end))).text for end in (6, 8)]
    assert TURNS[1].text not in begun(*texts)
