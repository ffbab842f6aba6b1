"""The templates of 70 real models write 21 kinds of conversations, as clients send them, as Hugging Face's renderer does,
and lose nothing of what a coding agent sends in a session.

They come out of the source of llama-cpp-python; `python3 one_click.py test` gets them.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment
from transformers.utils import chat_template_utils
from typing_extensions import override

from modules.library.library import Library
from modules.messages import Message, Role
from modules.prompt.plan import Planner
from modules.prompt.templates.choice import ChatTemplate, Rendering
from modules.prompt.tokens import PLACE
from modules.prompt.writer import PromptWriter, Written
from modules.requests import ChatRequest
from modules.settings.values import Settings
from tests.daily import some_daily
from tests.golden.template_cases import BOS, CLIENTS, EOS, Case, cases
from tests.model_files import template_files
from tests.prompt.conversation.test_repair import SESSION, TOOLS
from tests.prompt.prompting import chat
from tests.scripted import scripted_card

CASES: Final = cases(CLIENTS)
FILES: Final = template_files()
TEMPLATES: Final = pytest.mark.parametrize("path", some_daily(FILES, every=3, ids=lambda path: path.stem))

# These print the arguments of calls with `+`, which Hugging Face's renderer can do with texts only; clients of
# transformers send them texts. Ours can be read as objects and printed as the text that they came as.
PRINT_ARGUMENTS: Final = frozenset({"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "meetkai-functionary-medium-v3.2"})
# Written for llama.cpp's own engine: they add to lists, or print what `map` gives as JSON. Hugging Face's renderer cannot
# do that at all, so it gets these two abilities, and must then say the same.
OF_LLAMA_CPP: Final = frozenset({"Kimi-K2-Instruct", "Kimi-K2-Thinking", "llama-cpp-deepseek-r1"})
# It prints the ids of calls; the model knows those that its own engine makes, which count up.
NUMBERS_CALLS: Final = frozenset({"moonshotai-Kimi-K2", "Kimi-K2-Instruct", "Kimi-K2-Thinking"})
# It shows calls only where the content beside them is null.
NULL_BESIDE_CALLS: Final = frozenset({"deepseek-ai-DeepSeek-R1-Distill-Llama-8B"})
# They go through `tools` unasked, which is None with Hugging Face's renderer and an empty list here.
NEED_TOOLS: Final = frozenset(
    {
        "CohereForAI-c4ai-command-r-plus-tool_use",
        "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
        "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
    }
)
# Their templates have no place for a text beside a call, and none for it before the call: replies must alternate with a
# user's turns. The text is the model's own remark.
LOSE_REMARKS: Final = frozenset({"Mistral-Small-3.2-24B-Instruct-2506", "mistralai-Mistral-Nemo-Instruct-2407"})
# What a client sends, as it reaches the template: two texts are one, and null is an empty text, because half of the
# templates refuse a list of texts or null, or print them as Python does. The words stay the same.
AS_TEXT: Final = MappingProxyType({"list content": "First part. Second part.", "null content beside a call": ""})


class Overheard(Rendering):
    """Keeps what the template was given last."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[str, Any] = {}

    @override
    async def render(self, template: ChatTemplate, variables: Mapping[str, Any]) -> str:
        self.variables = dict(variables)
        return await super().render(template, variables)


class Ours:
    """One template, as the program renders it; `given` is what the template got."""

    def __init__(self, path: Path, folder: Path) -> None:
        settings = Settings(user_data_dir=folder)
        self._planner = Planner(Library(settings.user_data), settings)
        self._rendering = Overheard()
        self._writer = PromptWriter(self._rendering)
        self._card = scripted_card(chat_template=path.read_text("utf-8"), bos_token=BOS, eos_token=EOS)

    async def written(self, request: ChatRequest) -> Written:
        plan = self._planner.plan(self._card, request)
        return await self._writer.write(plan, plan.messages)

    @property
    def given(self) -> dict[str, Any]:
        copied: dict[str, Any] = json.loads(json.dumps(self._rendering.variables))
        return copied


class Theirs:
    """The same template under Hugging Face's renderer."""

    def __init__(self, path: Path) -> None:
        self._source = path.read_text("utf-8")
        self._stem = path.stem

    def of_given(self, given: dict[str, Any]) -> str:
        """What it makes of the messages that our template was given."""
        if self._stem not in PRINT_ARGUMENTS:
            for call in (call for message in given["messages"] for call in message.get("tool_calls") or ()):
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
        return self._rendered(given)

    def of_sent(self, case: Case, given: dict[str, Any]) -> str:
        """What it makes of the messages that the client sent. Raises what it raises."""
        messages = json.loads(json.dumps(case.messages))
        for message in messages:
            if case.name in AS_TEXT and not isinstance(message["content"], str):
                message["content"] = AS_TEXT[case.name]
        if case.continues:
            messages[-1]["content"] = PLACE
        if self._stem in NUMBERS_CALLS:
            _number(messages)
        if self._stem in NULL_BESIDE_CALLS:
            for message in messages:
                message["content"] = message["content"] or (None if "tool_calls" in message else "")
        if self._stem in PRINT_ARGUMENTS:
            for call in (call for message in messages for call in message.get("tool_calls") or ()):
                call["function"]["arguments"] = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        no_tools: list[Any] | None = [] if self._stem in NEED_TOOLS else None
        return self._rendered(given | {"messages": messages, "tools": case.tools or no_tools})

    def _rendered(self, given: dict[str, Any]) -> str:
        variables = {name: value for name, value in given.items() if name != "messages"}
        with _as_llama_cpp(self._source) if self._stem in OF_LLAMA_CPP else _as_it_is():
            [text], _ = chat_template_utils.render_jinja_template(
                [given["messages"]], chat_template=self._source, **variables
            )
        return str(text)


def test_there_are_seventy_templates_and_twenty_one_kinds() -> None:
    assert len(FILES) == 70, "Run `python3 one_click.py test`: it gets the templates and runs the tests."
    assert len(CASES) == 21


@TEMPLATES
async def test_conversations_are_written_the_same(path: Path, tmp_path: Path) -> None:
    ours, theirs = Ours(path, tmp_path), Theirs(path)
    for case in CASES:
        written = await ours.written(case.request)
        given = ours.given
        assert written.text == _completed(theirs.of_given(given), case), case.name
        if not written.repairs:
            assert written.text == _completed(theirs.of_sent(case, ours.given), case), case.name
        else:
            assert _lacks_something(theirs, case, ours.given), (case.name, written.repairs)


@TEMPLATES
async def test_nothing_is_lost(path: Path, tmp_path: Path) -> None:
    ours = Ours(path, tmp_path)
    for case in CASES:
        text = (await ours.written(case.request)).text
        assert [word for word in _words(case.request.messages) if not _stands_in(text, word)] == [], case.name


@TEMPLATES
async def test_a_whole_session_of_a_coding_agent_is_taken(path: Path, tmp_path: Path) -> None:
    """Whenever it is the model's turn."""
    ours = Ours(path, tmp_path)
    for end in (end for end in range(1, len(SESSION) + 1) if SESSION[end - 1].role is not Role.ASSISTANT):
        text = (await ours.written(chat(*SESSION[:end], tools=TOOLS))).text
        assert [word for word in _words(SESSION[:end]) if not _stands_in(text, word)] == [], end


@TEMPLATES
async def test_remarks_beside_calls_are_kept(path: Path, tmp_path: Path) -> None:
    [case] = [case for case in CASES if case.name == "text beside a call"]
    text = (await Ours(path, tmp_path).written(case.request)).text
    assert ("I will look at the clock." in text) is (path.stem not in LOSE_REMARKS)


def _words(messages: tuple[Message, ...]) -> Iterator[str]:
    """What everybody but the model said, and what the model called with."""
    for message in messages:
        if message.role is not Role.ASSISTANT:
            yield message.text.strip()
        for call in message.tool_calls:
            yield call.name
            yield from (value for value in _values(call.arguments) if isinstance(value, str))


def _values(arguments: str) -> list[object]:
    try:
        return list(json.loads(arguments).values())
    except ValueError:
        return [arguments.rpartition('"')[2]]


def _stands_in(text: str, word: str) -> bool:
    """As it is, or within JSON."""
    return any(form in text for form in (word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1]))


def _completed(text: str, case: Case) -> str:
    """Up to the place at which a reply goes on, with what there is of it."""
    return text.rpartition(PLACE)[0] + case.request.messages[-1].text if case.continues else text


def _lacks_something(theirs: Theirs, case: Case, given: dict[str, Any]) -> bool:
    """Whether Hugging Face's renderer refuses what the client sent, or leaves something of it out."""
    try:
        text = theirs.of_sent(case, given)
    except Exception:  # noqa: BLE001 - Jinja's errors, and Python's own
        return True
    messages = case.request.messages[: -1 if case.continues else None]
    everything = "\n".join(_said(messages))
    return any(not _stands_in(text, word) or text.count(word) < everything.count(word) for word in _said(messages))


def _said(messages: tuple[Message, ...]) -> list[str]:
    """All texts, and all texts that are arguments of calls."""
    arguments = [value for message in messages for call in message.tool_calls for value in _values(call.arguments)]
    texts = [*(message.text.strip() for message in messages), *(value for value in arguments if isinstance(value, str))]
    return [text for text in texts if text]


def _number(messages: list[dict[str, Any]]) -> None:
    """Ids as Kimi K2's own engine makes them."""
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    names = {call["id"]: f"functions.{call['function']['name']}:{number}" for number, call in enumerate(calls)}
    for call in calls:
        call["id"] = names[call["id"]]
    for message in messages:
        if "tool_call_id" in message:
            message["tool_call_id"] = names[message["tool_call_id"]]


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@contextmanager
def _as_llama_cpp(source: str) -> Iterator[None]:
    """Lists can be added to, and what `map` gives is a list."""
    environment = chat_template_utils._compile_jinja_template(source).environment
    to_json, is_safe = environment.filters["tojson"], ImmutableSandboxedEnvironment.is_safe_attribute

    def is_safe_too(value: Any, name: str, found: Any) -> bool:
        if isinstance(value, list) and name in {"append", "pop"}:
            return True
        return is_safe(environment, value, name, found)

    environment.is_safe_attribute = is_safe_too
    environment.filters["tojson"] = lambda value, **options: to_json(
        list(value) if isinstance(value, Iterator) else value, **options
    )
    try:
        yield
    finally:
        del environment.is_safe_attribute
        environment.filters["tojson"] = to_json
