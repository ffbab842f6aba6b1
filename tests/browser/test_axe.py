"""axe-core over every screen in both looks: no finding that is serious or critical."""

from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page

from tests.browser.scenes import SCENES, visit
from tests.browser.sites import Site
from tests.scripts.test_scripts import modules

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_SERIOUS: Final = frozenset({"serious", "critical"})
_RUN: Final = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], iframes: false });
  return violations.map(({ id, impact, nodes }) => ({ id, impact, at: nodes.map((node) => node.target.join(" ")) }));
}"""


async def serious_findings(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await page.evaluate(_RUN)
    return [each for each in found if each["impact"] in _SERIOUS]


@pytest.mark.parametrize("look", ["dark", pytest.param("light", marks=pytest.mark.extended)])
async def test_no_screen_has_a_serious_finding(browser: Browser, filled: Site, look: str) -> None:
    axe = (modules() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    found = []
    async with visit(browser, filled, "desktop") as scenes:
        await scenes.page.evaluate(axe)
        await scenes.wear(look)
        for scene in SCENES:
            await scenes.show(scene)
            found += [f"{scene}: {each['id']} at {each['at'][:4]}" for each in await serious_findings(scenes.page)]
        await scenes.page.evaluate(
            "document.body.append(Object.assign(document.createElement('img'), { src: 'a.png' }))"
        )
        assert "image-alt" in [each["id"] for each in await serious_findings(scenes.page)]
    assert found == []
