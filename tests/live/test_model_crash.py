"""The model process is killed at the worst moments; the server stays up and loads the model again."""

import asyncio

import httpx
import psutil
import pytest

from tests.live.client import (
    CHAT,
    DONE,
    endless,
    error_of,
    expect_right_answer,
    pulse,
    rest_of,
    streaming,
    until_text,
)
from tests.live.server import LiveServer

pytestmark = [pytest.mark.live, pytest.mark.model]


def kill_model(server: LiveServer) -> psutil.Process:
    process = server.model_process()
    process.kill()
    return process


async def test_kill_mid_stream_ends_it_with_an_error_event_and_the_next_request_is_answered(
    server: LiveServer, http: httpx.AsyncClient
) -> None:
    async with pulse(server) as beats:
        async with streaming(http, endless()) as events:
            await until_text(events, 3)
            killed = kill_model(server)
            rest = await rest_of(events)
        beaten = len(beats)
        await expect_right_answer(http, 909)
        while_loading = beats[beaten:]
    error = error_of(rest[-1])
    assert error is not None
    assert error["code"] == "engine_failed"
    assert DONE not in rest
    # Its death is news; only the silence of one that lives is waited for.
    assert "ended" in error["message"]
    assert {beat.status for beat in beats} <= {200, 503}
    # Loading takes a good second, and holds nobody up.
    assert len(while_loading) > 3
    assert not killed.is_running()
    assert server.model_process().pid != killed.pid


@pytest.mark.extended
async def test_a_model_process_that_is_stopped_is_replaced(server: LiveServer, http: httpx.AsyncClient) -> None:
    """Found by the heartbeat, after ten seconds without an answer."""
    async with pulse(server) as beats:
        async with streaming(http, endless()) as events:
            await until_text(events, 3)
            stopped = server.model_process()
            stopped.suspend()
            rest = await rest_of(events)
        await expect_right_answer(http, 707)
    error = error_of(rest[-1])
    assert error is not None
    assert error["code"] == "engine_failed"
    assert DONE not in rest
    assert {beat.status for beat in beats} <= {200, 503}
    assert not stopped.is_running()


async def test_kill_under_many_requests_fails_each_of_them_once(server: LiveServer, http: httpx.AsyncClient) -> None:
    """Streams, whole answers, and those that still wait in line."""
    async with streaming(http, endless()) as events:
        await until_text(events)
        whole = [asyncio.create_task(http.post(CHAT, json=endless())) for _ in range(12)]
        # By then the server has read all of them, and the model has started the first ones.
        await until_text(events, 20)
        kill_model(server)
        assert error_of((await rest_of(events))[-1])
    for response in await asyncio.gather(*whole):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_failed")
        # The official clients would send it twice more, unasked.
        assert response.headers["x-should-retry"] == "false"
    await expect_right_answer(http, 515)


async def test_after_a_crash_all_who_ask_at_once_share_one_new_model(
    server: LiveServer, http: httpx.AsyncClient
) -> None:
    gone = kill_model(server)
    await server.until(lambda: not gone.is_running())
    await asyncio.gather(*(expect_right_answer(http, number) for number in range(400, 416)))
    assert len(server.processes()) == 2
    assert "Traceback" not in server.log


async def test_kill_during_the_reload_is_an_error_and_not_the_end(server: LiveServer, http: httpx.AsyncClient) -> None:
    gone = kill_model(server)
    await server.until(lambda: not gone.is_running())
    unlucky = asyncio.create_task(http.post(CHAT, json=endless()))
    await server.until(lambda: len(server.processes()) == 2)
    kill_model(server)
    response = await unlucky
    assert response.status_code in {500, 503}
    assert response.json()["error"]["message"]
    await expect_right_answer(http, 616)
