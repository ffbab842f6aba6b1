"""What can be pressed, and how large it is: by a pointer or by a finger."""

from typing import Final

from playwright.async_api import Page

# A box to tick or to choose is as large as its label; links within sentences may be as small as these (WCAG 2.5.8).
_SMALL: Final = """(least) => {
  const kinds = "button, a[href], input, select, textarea, summary, [role=button], [role=tab], [role=option], [role=menuitem], [role=treeitem], [role=slider]";
  const shown = (each) => each.checkVisibility({visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: false}) && !each.closest("[inert], [disabled], .sr-only");
  const found = new Set();
  for (const each of document.querySelectorAll(kinds)) {
    const label = ["checkbox", "radio"].includes(each.type) ? each.closest("label") : null;
    const target = label ?? each;
    if (each.type === "hidden" || !shown(target)) continue;
    if (each.localName === "a" && getComputedStyle(each).display === "inline") continue;
    const { width, height, right, left } = target.getBoundingClientRect();
    if (width < 2 || height < 2 || right <= 0 || left >= innerWidth) continue;
    if (width >= least - 0.5 && height >= least - 0.5) continue;
    const name = each.getAttribute("aria-label") || each.title || target.innerText || "";
    found.add(`${Math.round(width)}x${Math.round(height)} ${each.localName} #${each.closest("[id]")?.id} ${name.slice(0, 30)}`);
  }
  return [...found].sort();
}"""
POINTER: Final = 24
FINGER: Final = 44


async def small(page: Page, least: int) -> list[str]:
    """What is smaller than so many pixels, in either direction, of all that is shown."""
    found: list[str] = await page.evaluate(_SMALL, least)
    return found
