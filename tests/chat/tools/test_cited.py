"""Sources of tools are numbered through the whole chat, and searches keep to the chat's collections."""

import json

from modules.chat.citations import Citation, sources_answer
from modules.chat.tools.cited import CitingTools


class Recorder:
    """Answers each call with one source, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def call(self, name: str, arguments: str) -> str:
        self.asked.append((name, arguments))
        return "7" if name == "calculate" else sources_answer([Citation(number=1, source="a.txt", text="x")])


async def test_numbers_go_on_from_call_to_call() -> None:
    tools = CitingTools(Recorder(), first=4)
    answers = [await tools.call(name, "{}") for name in ("search_knowledge", "calculate", "read_page")]
    assert [json.loads(answer)["sources"][0]["number"] for answer in (answers[0], answers[2])] == [4, 5]
    assert answers[1] == "7"


async def test_a_search_without_collections_is_one_of_the_chats() -> None:
    recorder = Recorder()
    tools = CitingTools(recorder, first=1, collections=["tower"])
    for arguments in ('{"query": "x"}', '{"query": "x", "collections": ["garden"]}', "no json"):
        await tools.call("search_knowledge", arguments)
    assert recorder.asked == [
        ("search_knowledge", '{"query": "x", "collections": ["tower"]}'),
        ("search_knowledge", '{"query": "x", "collections": ["garden"]}'),
        ("search_knowledge", "no json"),
    ]
