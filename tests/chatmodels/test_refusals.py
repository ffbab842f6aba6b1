"""What a model's card does not list is refused before anything is done."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from modules.chat.service import ChatService
from modules.chat.work import WorkRegister
from modules.chatmodels.base import Operation
from modules.chatmodels.local import LocalModels, local_card
from modules.chatmodels.sources import NamedSources
from modules.engine.types import Constraint
from modules.errors import NotSupported
from modules.hooks import Hooks, Turn
from modules.messages import Role, text_message
from modules.models.pool import ModelPool
from modules.models.state import Status
from modules.prompt.builder import PromptBuilder
from modules.reply.gather import gather
from modules.requests import ChatRequest, CompletionRequest, LogitsRequest
from tests.chatmodels.kinds import ChatOnly
from tests.models.launches import Launches, scripted_pool
from tests.scripted import scripted_card

CHAT_ONLY = frozenset({Operation.CHAT})
MODEL = "elsewhere/scripted"
SAID = (text_message(Role.USER, "echo: hi"),)
CONSTRAINT = Constraint(kind="regex", text="a+", param="response_format")

Ask = Callable[[ChatService], Awaitable[object]]
QUESTIONS: dict[str, Ask] = {
    "model": lambda chat: gather(chat.complete(CompletionRequest(model=MODEL, prompts=("a",)), owner="me")),
    "response_format": lambda chat: gather(
        chat.chat(ChatRequest(model=MODEL, messages=SAID, constraint=CONSTRAINT), owner="me")
    ),
    "logprobs": lambda chat: gather(chat.chat(ChatRequest(model=MODEL, messages=SAID, logprobs=1), owner="me")),
    "model of next_token": lambda chat: chat.next_token(LogitsRequest(model=MODEL, prompt="a")),
    "model of count_tokens": lambda chat: chat.count_tokens(ChatRequest(model=MODEL, messages=SAID)),
    "model of encode": lambda chat: chat.encode("a", model=MODEL),
    "model of encode_chat": lambda chat: chat.encode_chat(ChatRequest(model=MODEL, messages=SAID)),
    "model of decode": lambda chat: chat.decode([1], model=MODEL),
    "model of render": lambda chat: chat.render(ChatRequest(model=MODEL, messages=SAID)),
}


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[ModelPool]:
    pool = scripted_pool(tmp_path, Launches(), model="scripted")
    pool.start()
    async with pool.lease(None):
        pass
    yield pool
    await pool.aclose()


def service_and_source(
    pool: ModelPool, *, is_known: bool = True, hooks: Hooks | None = None
) -> tuple[ChatService, ChatOnly]:
    local = LocalModels(pool, PromptBuilder())
    source = ChatOnly(local, CHAT_ONLY, is_known=is_known)
    return ChatService(NamedSources(local, {"elsewhere": source}), WorkRegister(), hooks), source


@pytest.mark.parametrize("is_known", [True, False], ids=["known card", "unknown card"])
@pytest.mark.parametrize("question", QUESTIONS)
async def test_what_a_model_cannot_do_is_refused(pool: ModelPool, question: str, is_known: bool) -> None:
    service, source = service_and_source(pool, is_known=is_known)
    with pytest.raises(NotSupported) as caught:
        await QUESTIONS[question](service)
    assert caught.value.param == question.split(maxsplit=1)[0]
    # Where the card is known beforehand nothing is leased, so nothing would have been loaded.
    assert source.leases == (not is_known)


async def test_what_it_can_do_is_done(pool: ModelPool) -> None:
    service, source = service_and_source(pool)
    reply = await gather(service.chat(ChatRequest(model=MODEL, messages=SAID), owner="me"))
    assert (reply.choices[0].text, source.leases) == ("hi", 1)
    assert await service.encode("a", model="scripted") == [ord("a")]


async def test_text_hooks_run_for_a_model_that_takes_no_other_hooks(pool: ModelPool) -> None:
    async def louder(text: str, turn: Turn) -> str:
        return text.upper()

    service, _ = service_and_source(pool, hooks=Hooks(reply_text=(louder,)))
    reply = await gather(service.chat(ChatRequest(model=MODEL, messages=SAID), owner="me"))
    assert reply.choices[0].text == "HI"


async def test_a_sleeping_model_is_not_loaded_for_what_it_cannot_do(tmp_path: Path) -> None:
    launches = Launches()
    pool = scripted_pool(tmp_path, launches, model="scripted")
    pool.start()
    service = ChatService(LocalModels(pool, PromptBuilder()), WorkRegister())
    await gather(service.chat(ChatRequest(model=None, messages=SAID, keep_alive=0), owner="me"))
    async with aclosing(pool.changes()) as states:
        async for state in states:
            if state.status is Status.EMPTY:
                break
    assert launches.loaded == ["scripted"]
    with pytest.raises(NotSupported, match="suffix"):
        await gather(service.complete(CompletionRequest(model=None, prompts=("a",), suffix="b"), owner="me"))
    await pool.aclose()


def test_card_of_a_model_here_lists_what_its_backend_has() -> None:
    lacking = {Operation.ADAPT, Operation.CONSTRAIN, Operation.SCORE, Operation.INFILL}
    card = local_card(scripted_card(can_constrain=False, can_score=False, infill_tokens=None))
    assert frozenset(Operation) - card.operations == lacking
    assert not lacking & local_card(scripted_card(can_constrain=True, infill_tokens=(1, 2, 3))).operations - lacking
