"""Several models in the Model tab."""

from pathlib import Path

from tests.ui.model.test_tab import tab


async def test_several_models_are_shown_and_unloaded_one_by_one(tmp_path: Path) -> None:
    async with tab(tmp_path, models_max=2) as page:
        page.show(await page.handlers.refreshed())
        await page.choose("a.gguf")
        await page.all(page.handlers.load(page.entered))
        assert "**scripted** is loaded" in page.status
        assert "**a\\.gguf** is loaded" in page.status
        assert page.entered[page.parts.loaded] == "a.gguf"
        await page.all(page.handlers.unload(page.entered))
        assert "a\\.gguf" not in page.status
        assert page.entered[page.parts.loaded] == "scripted"
        await page.all(page.handlers.unload(page.entered))
        assert page.status == "No model is loaded."
