"""Questions to processes of their own; what they do when they hang is told in the tests of tools."""

import asyncio
import gc
import json
import warnings

import pytest

from modules.chat.child import Bounds, ChildDied, ChildTooLoud, ChildTooSlow, ask_child, bare_environment
from tests.processes import child_processes

ECHO = "json.tool"
BOUNDS = Bounds(seconds=20, answer_bytes=4 * 2**20)


async def test_an_answer() -> None:
    assert json.loads(await ask_child(ECHO, b'{"a": 1}', BOUNDS)) == {"a": 1}


async def test_long_questions_and_answers_do_not_wait_for_each_other() -> None:
    question = json.dumps(["x" * 1000] * 2000).encode()
    assert len(await ask_child(ECHO, question, BOUNDS)) > 2_000_000


async def test_bounds() -> None:
    before = child_processes()
    with pytest.raises(ChildTooLoud):
        await ask_child(ECHO, b"[1, 2, 3]", Bounds(seconds=20, answer_bytes=5))
    with pytest.raises(ChildTooSlow):
        await ask_child(ECHO, b"[]", Bounds(seconds=0, answer_bytes=5))
    with pytest.raises(ChildDied):
        await ask_child(ECHO, b"[", BOUNDS)
    with pytest.raises(ChildDied):
        await ask_child("no_such_module_here", b"x" * 1_000_000, BOUNDS)
    assert child_processes() <= before


async def test_a_pipe_that_somebody_else_holds_open_is_let_go() -> None:
    with pytest.raises(ChildTooSlow):
        await ask_child("tests.chat.lingering_child", b"", Bounds(seconds=1, answer_bytes=5))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        await asyncio.sleep(0)
        gc.collect()
    assert [warning.message for warning in told if warning.category is ResourceWarning] == []


def test_keys_do_not_reach_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    assert "secret" not in bare_environment().values()
