"""Downloads in the Model tab, as handlers of one browser."""

import asyncio
from contextlib import aclosing
from pathlib import Path

from tests.models.hub_server import hub_server
from tests.ui.model.test_tab import refusal, tab


async def test_download_list_choice_and_menu(tmp_path: Path) -> None:
    with hub_server() as server:
        server.repos = {
            "ann/m": {"m-Q4_K_M.gguf": b"x" * 4096, "m-Q8_0.gguf": b"y" * 8192, "w.bin": b"", "a.json": b"{}"}
        }
        async with tab(tmp_path, server=server) as page:
            shown = await page.hub.list_files("ann/m")
            choices = shown[page.loading.files]["choices"]
            assert choices == [
                ("4 KiB · m-Q4_K_M.gguf", "m-Q4_K_M.gguf"),
                ("8 KiB · m-Q8_0.gguf", "m-Q8_0.gguf"),
                ("2 B · a.json", "a.json"),
            ]
            with refusal("2 GGUF models"):
                await page.all(page.hub.download("ann/m", []))
            assert "Choose one of its GGUF models" in page.progress
            with refusal("no single file"):
                await page.all(page.hub.download("ann/m", ["../../etc/passwd"]))
            with refusal("no Q6_K GGUF"):
                await page.all(page.hub.download("ann/m:Q6_K", []))
            await page.all(page.hub.download("hf.co/ann/m:q8_0", []))
            assert "is downloaded and verified (8 KiB)" in page.progress
            await page.all(page.hub.download("ann/m", ["m-Q8_0.gguf"]))
            assert "is downloaded and verified (8 KiB)" in page.progress
            page.show(await page.handlers.refreshed(page.entered))
            assert (tmp_path / "m-Q8_0.gguf").read_bytes() == b"y" * 8192
            page.entered[page.parts.models] = "m-Q8_0.gguf"
            await page.all(page.handlers.check(page.entered))
            assert page.estimate == "Verified: 1 file intact."


async def test_a_repository_that_nothing_here_loads_is_refused(tmp_path: Path) -> None:
    with hub_server() as server:
        server.repos = {"ann/m": {"config.json": b"{}", "model.safetensors": b"x"}}
        async with tab(tmp_path, server=server) as page:
            with refusal("look for a GGUF repository"):
                await page.all(page.hub.download("ann/m", []))
            assert "None of them is a GGUF model" in page.progress
            shown = await page.hub.list_files("ann/m")
            assert shown[page.loading.files]["choices"] == [("2 B · config.json", "config.json")]
            assert not any("/resolve/" in request.path for request in server.requests)


async def test_a_download_outlives_its_tab_and_can_be_stopped(tmp_path: Path) -> None:
    with hub_server() as server:
        server.repos = {"ann/m": {"m.gguf": b"x" * 100_000}}
        server.held = {"m.gguf"}
        async with tab(tmp_path, server=server) as page:
            async with aclosing(page.hub.download("ann/m", [])) as steps:
                async for shown in steps:
                    if "Downloading" in shown[page.loading.progress]:
                        break
            with refusal("already"):
                await page.all(page.hub.download("ann/m", []))
            another = asyncio.create_task(page.all(page.hub.follow()))
            assert await page.hub.stop() == {page.loading.progress: "Stopped. Download resumes where it stopped."}
            await another
            assert await page.hub.stop() == {}
            server.held.clear()
            await page.all(page.hub.download("ann/m", []))
            assert (tmp_path / "m.gguf").read_bytes() == b"x" * 100_000


async def test_addresses_elsewhere_are_refused(tmp_path: Path) -> None:
    with hub_server() as server:
        async with tab(tmp_path, server=server) as page:
            with refusal("owner/name"):
                await page.hub.list_files("http://169.254.169.254/a/b")
            assert server.requests == []
