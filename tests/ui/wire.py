"""The page as a browser without a window sees it: Gradio's own protocol, spoken by hand, so that it can be spoken badly."""

import asyncio
import copy
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

SECONDS: Final = 120
_ENDED: Final = "process_completed"


@dataclass
class Event:
    """One event that was sent, and what the page has been told of it so far."""

    id: str
    dependency: int
    outputs: list[int]
    values: list[Any] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    error: str | None = None
    is_over: bool = False


class Tab:
    """One browser tab: a session, the value of every component, and a stream of news while events are under way; `heard`
    is all of it as it came."""

    def __init__(self, http: httpx.AsyncClient, config: Mapping[str, Any]) -> None:
        self.http = http
        self.session = secrets.token_hex(8)
        self.at_first = {each["id"]: each for each in config["components"]}
        self.components = copy.deepcopy(self.at_first)
        self.events = config["dependencies"]
        self.values = {number: each["props"].get("value") for number, each in self.components.items()}
        self._by_name = {each["props"].get("elem_id"): number for number, each in self.components.items()}
        self.heard: list[str] = []
        self._open: dict[str, Event] = {}
        self._early: dict[str, list[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    def component(self, name: str) -> int:
        """By the id that its element has on the page."""
        return int(self._by_name[name])

    def labelled(self, label: str) -> int:
        (found,) = (number for number, each in self.at_first.items() if each["props"].get("label") == label)
        return int(found)

    def value(self, name: str) -> Any:
        return self.values[self.component(name)]

    def dependency(self, name: str, event: str) -> dict[str, Any]:
        """What happens when that event befalls the component."""
        target = [self.component(name), event]
        (found,) = (each for each in self._befalling(target) if each["backend_fn"])
        return found

    async def send(self, dependency: Mapping[str, Any], data: Any = None, event_data: Any = None) -> Event:
        """Begin an event with what the components show, or with other `data`."""
        posted = await self.post(dependency, data, event_data)
        return self.expect(posted, dependency)

    def expect(self, posted: httpx.Response, dependency: Mapping[str, Any]) -> Event:
        """The event that was posted, which is listened to from now on."""
        assert posted.status_code == 200, posted.text
        event = Event(posted.json()["event_id"], dependency["id"], dependency["outputs"])
        self._open[event.id] = event
        for message in self._early.pop(event.id, ()):
            self._take(message)
        if self._open and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read())
        return event

    async def post(self, dependency: Mapping[str, Any], data: Any = None, event_data: Any = None) -> httpx.Response:
        shown = [None if self._is_state(each) else self.values[each] for each in dependency["inputs"]]
        body = {
            "data": shown if data is None else data,
            "event_data": event_data,
            "fn_index": dependency["id"],
            "trigger_id": None,
            "session_hash": self.session,
        }
        # Written in ASCII, JSON can hold what is no text.
        headers = {"content-type": "application/json"}
        return await self.http.post("/gradio_api/queue/join", content=json.dumps(body), headers=headers)

    async def over(self, event: Event) -> Event:
        async with asyncio.timeout(SECONDS):
            while not event.is_over:
                await self.changed()
        return event

    async def begin(self, name: str, event: str, *, event_data: Any = None, **values: Any) -> Event:
        """Enter `values`, by the ids of components, and begin the event, whatever it leads to; returned is what shows
        most."""
        for each, value in values.items():
            self.values[self.component(each.replace("_", "-"))] = value
        begun = []
        for dependency in self._befalling([self.component(name), event]):
            await self._cancel(dependency["cancels"])
            if dependency["backend_fn"]:
                begun.append(await self.send(dependency, event_data=event_data))
        return max(begun, key=lambda each: len(each.outputs))

    async def act(self, name: str, event: str, *, event_data: Any = None, **values: Any) -> Event:
        return await self.over(await self.begin(name, event, event_data=event_data, **values))

    async def say(self, words: str) -> Event:
        """Write a message and send it; the reply is still to come."""
        return await self.begin("box", "submit", box={"text": words, "files": []})

    async def ask(self, words: str) -> str:
        """The whole reply to a message."""
        event = await self.over(await self.say(words))
        assert event.error is None, event.error
        return self.words[-1]

    async def open(self, *, is_busy: bool) -> None:
        """What a browser does when it opens the page, to its end or, where a reply is coming, until that is shown."""
        loads = [each for each in self.events if any(event == "load" for _, event in each["targets"])]
        begun = {each["id"]: await self.send(each) for each in loads}
        for follower in [each for each in self.events if each["trigger_after"] in begun and each["backend_fn"]]:
            await self.over(begun[follower["trigger_after"]])
            await self.send(follower)
        if is_busy:
            await self.until("content")
        else:
            await self.until_idle()

    async def close(self) -> None:
        """As a tab that is closed: nobody listens any more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def until(self, words: str, name: str = "live") -> None:
        """Waits for that component to show `words`."""
        async with asyncio.timeout(SECONDS):
            while words not in json.dumps(self.value(name)):
                await self.changed()

    async def until_words(self, *words: str) -> None:
        """Waits for the conversation to be these messages."""
        async with asyncio.timeout(SECONDS):
            while self.words != list(words):
                await self.changed()

    async def until_idle(self) -> None:
        """Waits for all events of the tab to be over."""
        for event in list(self._open.values()):
            await self.over(event)

    def looks(self, name: str) -> Mapping[str, Any]:
        """What is known of the component besides its value."""
        props: Mapping[str, Any] = self.components[self.component(name)]["props"]
        return props

    @property
    def words(self) -> list[str]:
        """The conversation that is shown, message by message."""
        return [_text(message) for message in self.value("chat") or ()]

    @property
    def live_words(self) -> str:
        return "".join(_text(message) for message in self.value("live") or ())

    def _befalling(self, target: list[object]) -> list[dict[str, Any]]:
        return [each for each in self.events if target in [list(pair) for pair in each["targets"]]]

    async def _cancel(self, dependencies: list[int]) -> None:
        """What an event ends."""
        for event in [each for each in self._open.values() if each.dependency in dependencies]:
            body = {"event_id": event.id, "session_hash": self.session, "fn_index": event.dependency}
            assert (await self.http.post("/gradio_api/cancel", json=body)).status_code == 200

    def _is_state(self, number: int) -> bool:
        return bool(self.components[number]["type"] == "state")

    async def changed(self) -> None:
        """Waits for the page to be told something."""
        self._news.clear()
        await self._news.wait()

    async def _read(self) -> None:
        """The page closes the stream whenever nothing is under way."""
        path = f"/gradio_api/queue/data?session_hash={self.session}"
        while self._open:
            async with self.http.stream("GET", path, timeout=None) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        self.heard.append(line)
                        self._hear(json.loads(line.removeprefix("data: ")))
                    if not self._open:
                        return

    def _hear(self, message: dict[str, Any]) -> None:
        number = message.get("event_id")
        if number in self._open:
            self._take(message)
        elif number:
            self._early.setdefault(number, []).append(message)
        self._news.set()

    def _take(self, message: dict[str, Any]) -> None:
        event = self._open[message["event_id"]]
        match message["msg"]:
            case "log":
                event.notices.append(message["log"])
            case "process_generating" | "process_completed":
                output = message["output"]
                if message["success"]:
                    self._show(event, output.get("data", []))
                else:
                    event.error = str(output.get("error"))
        if message["msg"] == _ENDED:
            event.is_over = True
            del self._open[event.id]

    def _show(self, event: Event, data: list[Any]) -> None:
        if not data:
            return
        event.values = data
        for number, value in zip(event.outputs, event.values, strict=True):
            if isinstance(value, dict) and value.get("__type__") == "update":
                self._update(number, value)
            else:
                self.values[number] = value

    def _update(self, number: int, update: dict[str, Any]) -> None:
        self.components[number]["props"].update({name: each for name, each in update.items() if name != "__type__"})
        if "value" in update:
            self.values[number] = update["value"]


@asynccontextmanager
async def new_tab(http: httpx.AsyncClient, *, is_busy: bool = False) -> AsyncIterator[Tab]:
    """A tab that has opened the page, whose last chat may be getting a reply."""
    response = await http.get("/config")
    assert response.status_code == 200, response.text
    tab = Tab(http, response.json())
    try:
        await tab.open(is_busy=is_busy)
        yield tab
    finally:
        await tab.close()


def _text(message: Mapping[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content)
