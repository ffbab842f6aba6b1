"""The user's tool files: run in processes, reread at once, and unable to take the server along."""

import asyncio
import json
import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from modules.chat.tools.base import Origin, ToolInfo
from modules.chat.tools.files import FileTools
from modules.chat.tools.toolbox import ToolBox
from modules.paths import PROGRAM_FOLDER, UserData
from tests.processes import child_processes

ECHO = """
tool = {"type": "function", "function": {"name": "NAME", "description": "D", "parameters": {"type": "object"}}}
def execute(arguments):
    BODY
"""


def write(data: UserData, name: str, body: str, *, called: str = "") -> Path:
    path = data.tools / f"{name}.py"
    path.write_text(ECHO.replace("NAME", called or name).replace("BODY", body))
    return path


async def own(box: ToolBox) -> dict[str, ToolInfo]:
    return {info.name: info for info in await box.available() if info.origin is Origin.FILE}


async def test_a_file_is_a_tool(box: ToolBox, data: UserData) -> None:
    write(data, "greet", "return 'Hello ' + arguments['name']")
    assert await own(box) == {"greet": ToolInfo(name="greet", description="D", origin=Origin.FILE)}
    [spec] = await box.specs(["greet"])
    assert (spec.name, spec.parameters) == ("greet", {"type": "object"})
    assert await box.call("greet", '{"name": "Ada"}') == "Hello Ada"


async def test_the_shipped_sample_works(box: ToolBox, data: UserData) -> None:
    shutil.copy(PROGRAM_FOLDER / "user_data" / "tools" / "word_count.py", data.tools)
    answer = await box.call("word_count", '{"text": "one two\\nthree"}')
    assert json.loads(answer) == {"words": 3, "lines": 2, "characters": 13}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("return {'a': [1, None]}", '{"a": [1, null]}'),
        ("return 'é🌍'", "é🌍"),
        ("return None", "null"),
        ("print('noise'); import os; os.write(1, b'noise'); return 'clean'", "clean"),
        ("import threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); return 'left'", "left"),
        ("return 'x' * 30_000", "x" * 20_000 + "\n[The answer has 30000 characters; the first 20000 are above.]"),
    ],
)
async def test_answers(box: ToolBox, data: UserData, body: str, answer: str) -> None:
    write(data, "t", body)
    assert await asyncio.wait_for(box.call("t", "{}"), 15) == answer


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("return arguments['missing']", "KeyError: 'missing' (line 4)"),
        ("raise SystemExit(3)", "SystemExit: 3 (line 4)"),
        ("import os; os._exit(3)", "ended without an answer"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended without an answer"),
        ("return 'x' * 5_000_000", "longer than 4 MiB"),
        ("return {1: {2}, (1,): 2}", "TypeError"),
        ("a = []; a.append(a); return a", "ValueError"),
    ],
)
async def test_failures_are_told_to_the_model(box: ToolBox, data: UserData, body: str, complaint: str) -> None:
    write(data, "t", body)
    answer = await box.call("t", "{}")
    assert answer.startswith("Error: ")
    assert complaint in answer


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = (", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module' (line 1)"),
        ("x = 1", "no dict named tool"),
        ("tool = {}", "no function named execute"),
        ("tool = {}\ndef execute(a): ...", "Its name None"),
        ("tool = {'function': 3}\ndef execute(a): ...", "OpenAI's definition"),
        ("tool = {'name': 'a b'}\ndef execute(a): ...", "Its name 'a b'"),
        ("tool = {'name': 'a', 'parameters': [1]}\ndef execute(a): ...", "must be a JSON schema"),
        ("tool = {'name': 'a', 'parameters': {'x': {1}}}\ndef execute(a): ...", "no JSON"),
        ("tool = {'name': 'a', 'parameters': {'x': 'y' * 70_000}}\ndef execute(a): ...", "longer than 64 KiB"),
        ("import os; os._exit(1)", "ended without an answer"),
    ],
)
async def test_a_broken_file_is_listed_with_its_problem(box: ToolBox, data: UserData, text: str, problem: str) -> None:
    (data.tools / "broken.py").write_text(text)
    write(data, "fine", "return 'fine'")
    infos = await own(box)
    assert infos["fine"].problem is None
    assert problem in (infos["broken"].problem or "")
    assert await box.call("fine", "{}") == "fine"
    assert (await box.call("broken", "{}")).startswith("Error: There is no tool")


async def test_edits_count_at_once(box: ToolBox, data: UserData) -> None:
    path = write(data, "t", "return 'old'")
    assert await box.call("t", "{}") == "old"
    write(data, "t", "return 'new'")
    assert await box.call("t", "{}") == "new"
    path.write_text("tool = (")
    assert "SyntaxError" in ((await own(box))["t"].problem or "")
    path.unlink()
    assert await own(box) == {}
    assert (await box.call("t", "{}")).startswith("Error: There is no tool")


async def test_the_name_in_the_definition_counts(box: ToolBox, data: UserData) -> None:
    write(data, "file", "return 'called'", called="function")
    write(data, "other", "return 'hidden'", called="function")
    infos = await own(box)
    assert list(infos) == ["function", "other"]
    assert "give one of them another name" in (infos["other"].problem or "")
    assert await box.call("function", "{}") == "called"


async def test_ones_own_tool_stands_before_a_built_in_one(box: ToolBox, data: UserData) -> None:
    write(data, "calculate", "return 'mine'")
    assert await box.call("calculate", "{}") == "mine"
    assert [info.origin for info in await box.available() if info.name == "calculate"] == [Origin.FILE]


async def test_a_tool_that_hangs_is_ended_with_all_it_started(data: UserData) -> None:
    write(data, "hang", "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)")
    before = child_processes()
    tools = FileTools(data.tools, seconds=1)
    box = ToolBox(data, seconds=1)
    assert [spec.name for spec in (await tools.shelf()).specs] == ["hang"]
    assert "longer than 1 seconds" in await box.call("hang", "{}")
    assert not any(psutil.Process(pid).name() == "sleep" for pid in child_processes() - before)
    await box.aclose()


async def test_a_file_that_hangs_costs_a_bounded_time(data: UserData) -> None:
    (data.tools / "hang.py").write_text("while True: pass")
    tools = FileTools(data.tools, seconds=1, describe_seconds=0.5)
    [problem] = (await asyncio.wait_for(tools.shelf(), 10)).problems
    assert problem.problem == "It took longer than 0.5 seconds and was ended."


async def test_cancelling_a_call_ends_its_process(box: ToolBox, data: UserData, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    os.mkfifo(mark)
    write(data, "t", f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    call = asyncio.create_task(box.call("t", "{}"))
    pid = int(await asyncio.to_thread(mark.read_text))
    call.cancel()
    await asyncio.wait([call])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)


async def test_a_tool_has_the_variables_that_its_user_set(
    box: ToolBox, data: UserData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEATHER_KEY", "shared")
    write(data, "t", "import os; return os.environ['WEATHER_KEY']")
    assert await box.call("t", "{}") == "shared"


async def test_only_python_files_of_the_folder_itself_count(box: ToolBox, data: UserData, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text(ECHO.replace("NAME", "outside").replace("BODY", "return 1"))
    (data.tools / "link.py").symlink_to(tmp_path / "outside.py")
    (data.tools / "folder.py").mkdir()
    (data.tools / "notes.txt").write_text("x")
    assert await own(box) == {}
    assert (await box.call("../outside", "{}")).startswith("Error: There is no tool")


async def test_no_traces_are_left_in_the_folder(box: ToolBox, data: UserData) -> None:
    write(data, "t", "return 1")
    await box.call("t", "{}")
    assert [path.name for path in data.tools.iterdir()] == ["t.py"]
