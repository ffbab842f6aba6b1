"""Services are started and stopped while the program runs, and their states can be followed."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import httpx
import pytest

from modules.errors import NotFound, NotLoaded, SettingsError
from modules.extend.contributions import Announce, OfferedService, Services, ServiceStatus
from modules.runtime import Runtime
from tests.extend.loaded import running, settings_of


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(settings_of(tmp_path))


async def fine(runtime: Runtime, announce: Announce) -> None:
    announce("one")
    announce("two")
    await asyncio.Event().wait()


async def refused(runtime: Runtime, announce: Announce) -> None:
    raise SettingsError("Port 1 is in use.", param="api_port")


async def broken(runtime: Runtime, announce: Announce) -> None:
    announce("up")
    raise RuntimeError("inside")


def services(*offered: OfferedService, lines: list[str] | None = None) -> Services:
    return Services(offered, (lines if lines is not None else []).append)


async def test_a_service_is_started_and_stopped(runtime: Runtime) -> None:
    lines: list[str] = []
    some = services(OfferedService(name="fine", serve=fine), lines=lines)
    with pytest.raises(NotLoaded):
        await some.start("fine")
    some.bind(runtime)
    started = await some.start("fine")
    assert (started.status, started.announced) == (ServiceStatus.RUNNING, ("one", "two"))
    assert await some.start("fine") is started
    assert lines == ["one", "two"]
    assert (await some.stop("fine")).status is ServiceStatus.STOPPED
    assert (await some.stop("fine")).status is ServiceStatus.STOPPED
    assert (await some.start("fine")).announced == ("one", "two")
    await some.aclose()
    await some.until_all_ended()
    with pytest.raises(NotFound, match="fine"):
        some.state("other")


async def test_what_cannot_start_says_why(runtime: Runtime) -> None:
    some = services(OfferedService(name="refused", serve=refused))
    some.bind(runtime)
    with pytest.raises(SettingsError, match="Port 1"):
        await some.start_all()
    assert some.state("refused").status is ServiceStatus.FAILED
    assert some.state("refused").message == "Port 1 is in use."


async def test_what_breaks_down_later_is_seen(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    some = services(OfferedService(name="broken", serve=broken))
    some.bind(runtime)
    async with aclosing(some.changes()) as changes:
        seen = []
        await some.start("broken")
        async for states in changes:
            seen.append(states["broken"].status)
            if seen[-1] is ServiceStatus.FAILED:
                break
    assert "the service broken failed" in caplog.text
    assert "log" in some.state("broken").message


async def test_only_those_that_start_themselves_are_started(runtime: Runtime) -> None:
    some = services(
        OfferedService(name="fine", serve=fine), OfferedService(name="later", serve=fine, starts_itself=False)
    )
    some.bind(runtime)
    await some.start_all()
    assert [some.state(name).status for name in some.names] == [ServiceStatus.RUNNING, ServiceStatus.STOPPED]
    await some.aclose()


async def test_the_api_is_switched_on_and_off(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, nowebui=False, api_port=0)
    async with running(settings) as (_, extensions):
        await extensions.services.start_all()
        assert extensions.services.state("openai").status is ServiceStatus.STOPPED
        for _ in range(2):
            state = await extensions.services.start("openai")
            url = state.announced[0].split()[-1]
            async with httpx.AsyncClient() as http:
                assert (await http.get(f"{url}/models")).status_code == 200
                await extensions.services.stop("openai")
                with pytest.raises(httpx.ConnectError):
                    await http.get(f"{url}/models")
