"""/metrics counts replies, and tells nothing of what was said."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from filelock import FileLock
from prometheus_client.parser import text_string_to_metric_families

from modules.events import Content
from modules.messages import Role, text_message
from modules.requests import ChatRequest
from tests.api.serving import CHAT, Served, says, served
from tests.backends.kv.disk.states import keep, opened

DELETE = "/v1/internal/model/cache/delete"


async def figures(api: Served) -> dict[str, float]:
    text = (await api.http.get("/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name + "".join(sample.labels.values()): sample.value for sample in samples}


async def test_replies_are_counted(api: Served) -> None:
    before = await figures(api)
    assert (before["llm_prompt_tokens_total"], before["llm_requests_running"]) == (0, 0)
    bodies = [says("count 3"), says("count 3", max_tokens=2, stream=True), says("count 3", n=2)]
    usage = [(await api.post(CHAT, body)) for body in bodies]
    after = await figures(api)
    assert (after["llm_choices_totalstop"], after["llm_choices_totallength"]) == (3, 1)
    assert after["llm_completion_tokens_total"] == 3 * usage[0].json()["usage"]["completion_tokens"] + 2
    assert after["llm_prompt_tokens_total"] == 4 * usage[0].json()["usage"]["prompt_tokens"]
    assert after["llm_time_to_first_token_seconds_count"] == after["llm_request_seconds_count"] == 3
    assert (after["llm_requests_running"], after["llm_requests_aborted_total"]) == (0, 0)
    assert after["llm_model_loadedscripted"] == 1


async def test_running_and_broken_replies_are_told_apart(api: Served) -> None:
    request = ChatRequest(model=None, messages=(text_message(Role.USER, "count 1000"),))
    async with aclosing(api.runtime.chat.chat(request, owner="test")) as events:
        async for event in events:
            if isinstance(event, Content):
                break
        assert (await figures(api))["llm_requests_running"] == 1
    after = await figures(api)
    assert (after["llm_requests_running"], after["llm_requests_aborted_total"]) == (0, 1)


async def test_what_is_kept_on_disk_is_measured_and_deleted(api: Served) -> None:
    """Without a model: it lies there, whoever wrote it."""
    assert (await figures(api))["llm_disk_cache_bytes"] == 0
    assert (await api.http.post(DELETE)).json() == {"freed_bytes": 0}
    root = api.runtime.data.cache / "prefixes"
    assert not root.exists()
    await api.runtime.models.unload()
    store = opened(root)
    keep(store, [1, 2, 3])
    keep(store, [1, 2, 3, 4])
    damaged, *others = root.glob("*.kv")
    damaged.write_bytes(b"x" * 50)
    opened(root)
    after = await figures(api)
    assert after["llm_disk_cache_bytes"] == sum(file.stat().st_size for file in others) > 0
    assert (after["llm_disk_cache_writes_total"], after["llm_disk_cache_damaged_files_total"]) == (2, 1)
    assert after["llm_disk_cache_evictions_total"] == 0
    assert (await api.http.post(DELETE)).json()["freed_bytes"] >= after["llm_disk_cache_bytes"]
    assert (await figures(api))["llm_disk_cache_bytes"] == 0
    assert not list(root.glob("*.kv"))


async def test_deleting_what_is_kept_asks_for_the_admin_key(tmp_path: Path) -> None:
    async with served(tmp_path, api_key="sesame", admin_key="open") as api:
        for key, status in (("sesame", 401), ("open", 200)):
            response = await api.http.post(DELETE, headers={"Authorization": f"Bearer {key}"})
            assert response.status_code == status


async def test_a_cache_in_use_is_not_deleted_by_half(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.backends.kv.disk.folder._LOCK_SECONDS", 0.01)
    root = api.runtime.data.cache / "prefixes"
    keep(opened(root), [1, 2, 3])
    with FileLock(root / "lock"):
        assert (await api.http.post(DELETE)).status_code == 429
    assert list(root.glob("*.kv"))
    assert (root / "key").exists()


async def test_nothing_said_is_told(api: Served) -> None:
    await asyncio.gather(*(api.post(CHAT, says(f"echo: secret {number}")) for number in range(3)))
    assert "secret" not in (await api.http.get("/metrics")).text


async def test_metrics_ask_for_the_key(tmp_path: Path) -> None:
    async with served(tmp_path, api_key="sesame") as api:
        assert (await api.http.get("/metrics")).status_code == 401
        answer = await api.http.get("/metrics", headers={"Authorization": "Bearer sesame"})
        assert answer.headers["content-type"].startswith("text/plain")
