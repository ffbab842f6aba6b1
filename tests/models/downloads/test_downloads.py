"""Downloads against a hub on this machine that drops connections, forgets ranges and sends wrong bytes."""

import random
import shutil
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from modules.errors import BadRequest, NotFound
from modules.models.catalog import Catalog
from modules.models.downloads.downloads import Downloads, FileCheck, Verdict
from modules.models.downloads.hub import Hub, HubFailed
from modules.models.downloads.plan import DownloadChoice, Wish
from modules.models.downloads.progress import DownloadProgress, Stage
from modules.paths import UserData
from tests.models.hub_server import SECRET, HubServer, hub_server

MODEL = random.Random(1).randbytes(3 * 2**20)
SMALL = random.Random(2).randbytes(1000)
FOLDER = {
    "config.json": b"{}",
    "tokenizer.json": b'{"tokens": []}',
    "model-00001-of-00002.safetensors": MODEL,
    "model-00002-of-00002.safetensors": SMALL,
    "sub/extra.safetensors": b"extra",
    "pytorch_model.bin": b"pickle",
    "modeling.py": b"print()",
    ".gitattributes": b"*",
}
LOADED = tuple(name for name in FOLDER if not name.endswith((".bin", ".py", ".gitattributes")))


@pytest.fixture
def server() -> Iterator[HubServer]:
    with hub_server() as state:
        state.repos = {
            "ann/gguf": {"README.md": b"# read me", "m-Q4_K_M.gguf": MODEL},
            "ann/several": {"m-Q4_K_M.gguf": MODEL, "m-Q8_0.gguf": MODEL + SMALL, "mmproj-m.gguf": SMALL},
            "ann/folder": dict(FOLDER),
        }
        yield state


@pytest.fixture
def data(tmp_path: Path) -> UserData:
    return UserData(tmp_path / "user data")


def downloads(server: HubServer, data: UserData, **changes: Any) -> Downloads:
    return Downloads(data, server.hub, **({"waits": (0.0, 0.0)} | changes))


async def chosen(loads: Downloads, name: str, *files: str) -> DownloadChoice:
    return loads.choose(await loads.files(name), Wish(files=files))


async def last_progress(download: AsyncGenerator[DownloadProgress, None]) -> DownloadProgress:
    """Run a download to its end. Raises what it raises."""
    async with aclosing(download):
        async for progress in download:
            latest = progress
    return latest


async def fetched(loads: Downloads, name: str, *files: str) -> DownloadProgress:
    return await last_progress(loads.download(await chosen(loads, name, *files)))


async def checks(loads: Downloads, name: str) -> list[FileCheck]:
    async with aclosing(loads.check(name)) as found:
        return [each async for each in found]


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


async def test_a_single_gguf_goes_straight_into_the_folder(server: HubServer, data: UserData) -> None:
    done = await fetched(downloads(server, data), "ann/gguf")
    assert (done.stage, done.target, done.done, done.fraction) == (Stage.DONE, "m-Q4_K_M.gguf", len(MODEL), 1.0)
    assert (data.models / "m-Q4_K_M.gguf").read_bytes() == MODEL
    assert Catalog(data.models).names() == ["m-Q4_K_M.gguf"]


async def test_named_files_of_several_kinds_come_in_a_folder(server: HubServer, data: UserData) -> None:
    await fetched(downloads(server, data), "ann/folder", *LOADED)
    assert files_below(data.models / "ann_folder") == {*LOADED, "huggingface-metadata.txt"}
    assert all((data.models / "ann_folder" / name).read_bytes() == FOLDER[name] for name in LOADED)
    assert Catalog(data.models).names() == []


async def test_a_quantization_in_the_name_is_what_comes(server: HubServer, data: UserData) -> None:
    done = await fetched(downloads(server, data), "hf.co/ann/several:q8_0")
    assert done.target == "m-Q8_0.gguf"
    assert Catalog(data.models).names() == ["m-Q8_0.gguf"]
    with pytest.raises(BadRequest, match="has no Q6_K GGUF"):
        await fetched(downloads(server, data), "ann/several:Q6_K")


async def test_code_comes_when_the_operator_allows_it(server: HubServer, data: UserData) -> None:
    await fetched(downloads(server, data, with_code=True), "ann/folder", "config.json", "modeling.py")
    assert (data.models / "ann_folder" / "modeling.py").is_file()


async def test_a_branch_has_a_folder_of_its_own(server: HubServer, data: UserData) -> None:
    server.branches = frozenset({"main", "8bpw"})
    done = await fetched(downloads(server, data), "ann/folder:8bpw", *LOADED)
    assert done.target == "ann_folder_8bpw"
    record = (data.models / "ann_folder_8bpw" / "huggingface-metadata.txt").read_text("utf-8")
    assert f"url: {server.endpoint}/ann/folder\nbranch: 8bpw\n" in record


async def test_projectors_go_where_projectors_are_looked_for(server: HubServer, data: UserData) -> None:
    done = await fetched(downloads(server, data), "ann/several", "m-Q8_0.gguf", "mmproj-m.gguf")
    assert done.target == "m-Q8_0.gguf"
    assert (data.mmproj / "mmproj-m.gguf").read_bytes() == SMALL
    assert Catalog(data.models).names() == ["m-Q8_0.gguf"]


async def test_a_models_projector_is_downloaded_and_checked_with_it(server: HubServer, data: UserData) -> None:
    loads = downloads(server, data)
    for quantization in ("Q4_K_M", "Q8_0"):
        await fetched(loads, f"ann/several:{quantization}")
    beside = "mmproj-m-ann.gguf"
    assert (data.models / beside).read_bytes() == SMALL
    assert sum("mmproj-m.gguf" in request.path for request in server.requests if request.server == "store") == 1
    assert Catalog(data.models).names() == ["m-Q4_K_M.gguf", "m-Q8_0.gguf"]
    (data.models / beside).write_bytes(b"other")
    found = await checks(loads, "m-Q8_0.gguf")
    assert [(each.name, each.verdict) for each in found] == [("m-Q8_0.gguf", Verdict.INTACT), (beside, Verdict.DAMAGED)]


async def test_the_token_stays_with_the_hub(server: HubServer, data: UserData) -> None:
    await fetched(downloads(server, data), "ann/gguf")
    tokens = {(request.server, request.authorization) for request in server.requests}
    assert tokens == {("hub", f"Bearer {SECRET}"), ("store", None)}
    assert SECRET not in repr(server.hub)


async def test_a_dropped_connection_goes_on_where_it_ended(server: HubServer, data: UserData) -> None:
    server.drops["m-Q4_K_M.gguf"] = [2**20 + 5, 1000]
    await fetched(downloads(server, data), "ann/gguf")
    ranges = server.served("m-Q4_K_M.gguf")
    assert ranges[0] is None
    assert len(ranges) == 3
    assert all(each is not None and each.startswith("bytes=") for each in ranges[1:])
    assert (data.models / "m-Q4_K_M.gguf").read_bytes() == MODEL


async def test_a_server_without_ranges_sends_everything_again(server: HubServer, data: UserData) -> None:
    server.knows_ranges = False
    server.drops["m-Q4_K_M.gguf"] = [2**20 + 5]
    await fetched(downloads(server, data), "ann/gguf")
    assert (data.models / "m-Q4_K_M.gguf").read_bytes() == MODEL


async def test_a_busy_hub_is_asked_again(server: HubServer, data: UserData) -> None:
    server.statuses["m-Q4_K_M.gguf"] = [503, 429]
    await fetched(downloads(server, data), "ann/gguf")
    assert len(server.served("m-Q4_K_M.gguf")) == 3


async def test_giving_up_keeps_what_was_fetched(server: HubServer, data: UserData) -> None:
    server.drops["m-Q4_K_M.gguf"] = [2 * 2**20, 0, 0, 0]
    loads = downloads(server, data)
    choice = await chosen(loads, "ann/gguf")
    with pytest.raises(HubFailed, match=r"connection was lost.*kept"):
        await last_progress(loads.download(choice))
    assert Catalog(data.models).names() == []
    await last_progress(loads.download(choice))
    assert server.served("m-Q4_K_M.gguf")[-1] == f"bytes={2 * 2**20}-"
    assert (data.models / "m-Q4_K_M.gguf").read_bytes() == MODEL


async def test_closing_stops_and_the_next_one_goes_on(server: HubServer, data: UserData) -> None:
    server.held.add("m-Q4_K_M.gguf")
    loads = downloads(server, data)
    choice = await chosen(loads, "ann/gguf")
    async with aclosing(loads.download(choice)) as progress:
        async for each in progress:
            if each.done:
                break
    assert Catalog(data.models).names() == []
    assert [path for path in files_below(data.models) if path.endswith(".part")]
    server.held.clear()
    await last_progress(loads.download(choice))
    assert server.served("m-Q4_K_M.gguf")[-1] is not None
    assert files_below(data.models) == {"m-Q4_K_M.gguf", ".downloads/m-Q4_K_M.gguf.txt"}


async def test_the_same_model_is_not_fetched_twice_at_once(server: HubServer, data: UserData) -> None:
    server.held.add("m-Q4_K_M.gguf")
    loads = downloads(server, data)
    choice = await chosen(loads, "ann/gguf")
    async with aclosing(loads.download(choice)) as first:
        await anext(first)
        with pytest.raises(BadRequest, match="already"):
            await last_progress(loads.download(choice))


async def test_damage_on_the_way_is_found_and_repaired(server: HubServer, data: UserData) -> None:
    server.damaged = {"m-Q4_K_M.gguf": 1}
    await fetched(downloads(server, data), "ann/gguf")
    assert (data.models / "m-Q4_K_M.gguf").read_bytes() == MODEL


@pytest.mark.parametrize("name", ["m-Q4_K_M.gguf", "config.json"])
async def test_a_file_that_stays_damaged_never_counts(server: HubServer, data: UserData, name: str) -> None:
    server.damaged = {name: 99}
    with pytest.raises(HubFailed, match="damaged twice"):
        await fetched(downloads(server, data), *(["ann/gguf"] if name.endswith("gguf") else ["ann/folder", *LOADED]))
    assert Catalog(data.models).names() == []


async def test_whole_files_are_not_fetched_again(server: HubServer, data: UserData) -> None:
    loads = downloads(server, data)
    await fetched(loads, "ann/folder", *LOADED)
    (data.models / "ann_folder" / "model-00002-of-00002.safetensors").write_bytes(b"x" * len(SMALL))
    (data.models / "ann_folder" / "config.json").unlink()
    server.requests.clear()
    await fetched(loads, "ann/folder", *LOADED)
    assert {request.path.rpartition("/")[2] for request in server.requests if "/resolve/" in request.path} == {
        "model-00002-of-00002.safetensors",
        "config.json",
    }
    assert all(check.verdict is Verdict.INTACT for check in await checks(loads, "ann_folder"))


async def test_check_finds_what_is_wrong(server: HubServer, data: UserData) -> None:
    loads = downloads(server, data)
    await fetched(loads, "ann/folder", *LOADED)
    (data.models / "ann_folder" / "config.json").write_bytes(b"[]")
    (data.models / "ann_folder" / "sub" / "extra.safetensors").unlink()
    found = {check.name: check.verdict for check in await checks(loads, "ann_folder")}
    assert found == {
        "ann_folder/config.json": Verdict.DAMAGED,
        "ann_folder/tokenizer.json": Verdict.INTACT,
        "ann_folder/model-00001-of-00002.safetensors": Verdict.INTACT,
        "ann_folder/model-00002-of-00002.safetensors": Verdict.INTACT,
        "ann_folder/sub/extra.safetensors": Verdict.MISSING,
    }


async def test_check_of_a_single_file(server: HubServer, data: UserData) -> None:
    loads = downloads(server, data)
    await fetched(loads, "ann/gguf")
    assert await checks(loads, "m-Q4_K_M.gguf") == [FileCheck("m-Q4_K_M.gguf", Verdict.INTACT)]
    with pytest.raises(BadRequest, match="no checksums"):
        await checks(loads, "other.gguf")
    with pytest.raises(BadRequest, match="not a usable name"):
        await checks(loads, "../m-Q4_K_M.gguf")


async def test_a_file_of_another_origin_is_not_replaced(server: HubServer, data: UserData) -> None:
    data.models.mkdir(parents=True)
    (data.models / "m-Q4_K_M.gguf").write_bytes(b"mine")
    with pytest.raises(BadRequest, match="another"):
        await fetched(downloads(server, data), "ann/gguf")
    assert (data.models / "m-Q4_K_M.gguf").read_bytes() == b"mine"


async def test_a_newer_version_of_the_same_file_replaces_it(server: HubServer, data: UserData) -> None:
    loads = downloads(server, data)
    await fetched(loads, "ann/gguf")
    server.repos["ann/gguf"]["m-Q4_K_M.gguf"] = SMALL
    await fetched(loads, "ann/gguf")
    assert (data.models / "m-Q4_K_M.gguf").read_bytes() == SMALL


async def test_what_does_not_fit_is_not_begun(
    server: HubServer, data: UserData, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(BadRequest, match=r"needs 3 MiB more, and the disk has 977 KiB free"):
        await fetched(downloads(server, data), "ann/gguf")
    assert server.served("m-Q4_K_M.gguf") == []


@pytest.mark.parametrize(
    "name", ["../../escaped.gguf", "a/../../../x.safetensors", "/etc/x.gguf", "C:\\x.json", ".x/y.json"]
)
async def test_names_of_files_do_not_lead_out(server: HubServer, data: UserData, name: str) -> None:
    server.repos["ann/evil"] = {"config.json": b"{}", "model.safetensors": SMALL, name: SMALL}
    with pytest.raises(BadRequest, match="not a usable name"):
        await fetched(downloads(server, data), "ann/evil", name, "config.json")
    assert files_below(data.root.parent) == set()


async def test_a_closed_model_says_what_to_do(server: HubServer, data: UserData) -> None:
    server.gated = {"ann/gguf"}
    with pytest.raises(HubFailed, match="HF_TOKEN"):
        await fetched(downloads(server, data), "ann/gguf")


async def test_what_is_not_there(server: HubServer, data: UserData) -> None:
    loads = downloads(server, data)
    with pytest.raises(NotFound, match="no model ann/none"):
        await loads.files("ann/none")
    with pytest.raises(NotFound, match="no branch nope"):
        await loads.files("ann/gguf:nope")


async def test_a_hub_that_is_not_there(data: UserData) -> None:
    with pytest.raises(HubFailed, match="HF_ENDPOINT"):
        await Downloads(data, Hub("http://127.0.0.1:9")).files("ann/gguf")


async def test_addresses_elsewhere_are_never_visited(server: HubServer, data: UserData) -> None:
    for address in (f"{server.store}/ann/gguf", "http://169.254.169.254/ann/gguf", "file:///etc/passwd"):
        with pytest.raises(BadRequest):
            await downloads(server, data).files(address)
    assert server.requests == []


async def test_the_environment_names_the_hub(
    server: HubServer, data: UserData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.endpoint + "/")
    monkeypatch.setenv("HF_TOKEN", "hf_from_the_environment")
    await fetched(Downloads(data), f"{server.endpoint}/ann/gguf/blob/main/m-Q4_K_M.gguf")
    assert server.requests[0].authorization == "Bearer hf_from_the_environment"


async def test_progress_goes_up_to_the_whole(server: HubServer, data: UserData) -> None:
    server.held.add("m-Q4_K_M.gguf")
    loads = downloads(server, data)
    seen = []
    async with aclosing(loads.download(await chosen(loads, "ann/gguf"))) as progress:
        async for each in progress:
            seen.append(each)
            if each.done and not server.release.is_set():
                assert each.files == ("m-Q4_K_M.gguf",)
                server.held.clear()
                server.release.set()
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert seen[-1] == DownloadProgress(Stage.DONE, "m-Q4_K_M.gguf", len(MODEL), len(MODEL), seen[-1].speed)


async def test_many_files_at_a_time(server: HubServer, data: UserData) -> None:
    names = [f"part{number}.safetensors" for number in range(6)]
    server.repos["ann/many"] = dict.fromkeys(names, SMALL)
    server.held = set(names)
    loads = downloads(server, data, parallel=4)
    async with aclosing(loads.download(await chosen(loads, "ann/many", *names))) as progress:
        async for each in progress:
            assert len(each.files) <= 4
            if sum(bool(server.served(name)) for name in names) == 4 and each.done == 4 * len(SMALL) // 2:
                break


async def test_a_record_of_an_older_version_is_enough_to_check(data: UserData) -> None:
    folder = data.models / "old_model"
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    text = f"url: https://huggingface.co/o/m\nbranch: main\ndownload date: 2024-01-01 10:00:00\nsha256sum:\n    {empty} a.bin\n"
    (folder / "huggingface-metadata.txt").write_text(text, "utf-8")
    loads = Downloads(data, Hub())
    assert await checks(loads, "old_model") == [FileCheck("old_model/a.bin", Verdict.INTACT)]


async def test_forgetting_starts_anew(server: HubServer, data: UserData) -> None:
    server.held.add("m-Q4_K_M.gguf")
    loads = downloads(server, data)
    choice = await chosen(loads, "ann/gguf")
    async with aclosing(loads.download(choice)) as progress:
        async for each in progress:
            if each.done:
                break
    assert files_below(data.models) != set()
    await loads.forget(choice)
    assert files_below(data.models) == set()


async def test_choosing_without_a_hint_names_the_choice(server: HubServer, data: UserData) -> None:
    loads = downloads(server, data)
    with pytest.raises(BadRequest, match=r"2 GGUF models(.|\n)*3 MiB  m-Q4_K_M.gguf\n(.|\n)*m-Q8_0.gguf"):
        await chosen(loads, "ann/several")
