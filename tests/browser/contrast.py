"""How far texts stand out from what is behind them, as WCAG 2 measures it, in the colours that the browser shows."""

from typing import Any, Final

from playwright.async_api import Page

# Every visible text and icon, and every text field twice: what is typed in it, and its placeholder. Colours are painted as
# the browser paints them: from the outermost element inwards, each ground over the one behind it, each translucent element
# as a whole. What cannot be used now is let out, as WCAG does, and so is what only screen readers are told.
_MEASURE: Final = """() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
  const channels = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
  const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
  const mixed = (top, under, share) => over([...top, share], under);
  const painted = (element, colour, share) => {
    const path = [];
    for (let each = element; each; each = each.parentElement) path.unshift(getComputedStyle(each));
    const groups = [];
    let ground = [255, 255, 255];
    for (const style of path) {
      if (style.opacity !== '1') groups.unshift([ground, Number(style.opacity)]);
      ground = over(channels(style.backgroundColor), ground);
    }
    const [r, g, b, a] = channels(colour);
    let text = over([r, g, b, a * share], ground);
    for (const [under, opacity] of groups) [text, ground] = [mixed(text, under, opacity), mixed(ground, under, opacity)];
    return [text, ground];
  };
  const light = rgb => { const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (element, colour, share = 1) => {
    const [high, low] = painted(element, colour, share).map(light).sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const isLarge = style => parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
  const path = element => {
    const named = element.closest('[id]');
    const label = element.getAttribute('aria-label') || element.getAttribute('placeholder') || '';
    return `${named ? '#' + named.id : ''} ${element.localName} ${label}`.trim();
  };
  const found = [];
  const note = (element, kind, text, colour, share) => {
    const style = getComputedStyle(element);
    found.push({where: path(element), kind, text: text.trim().slice(0, 40), large: isLarge(style), ratio: contrast(element, colour, share)});
  };
  const noText = new Set(['checkbox', 'radio', 'range', 'file', 'hidden', 'submit', 'button', 'color']);
  for (const field of document.querySelectorAll('input, textarea')) {
    if (noText.has(field.type) || !field.checkVisibility({checkVisibilityCSS: true}) || !field.getClientRects().length) continue;
    note(field, 'typed', field.value, getComputedStyle(field).color, 1);
    const hint = getComputedStyle(field, '::placeholder');
    note(field, 'placeholder', field.placeholder, hint.color, Number(hint.opacity));
  }
  const isShown = element => element.checkVisibility({visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: false})
    && !element.closest('.sr-only, .visually-hidden, .katex-mathml, [disabled], [aria-disabled=true], [inert], style, script, select, option');
  const fills = rect => rect.width > 1 && rect.height > 1;
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = words.nextNode(); text; text = words.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || !isShown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    if (![...range.getClientRects()].some(fills)) continue;
    note(element, 'text', text.data, getComputedStyle(element).color, 1);
    if (!/[\\p{L}\\p{N}]/u.test(text.data)) found.at(-1).large = true;
  }
  for (const icon of document.querySelectorAll('button svg')) {
    if (!isShown(icon) || !fills(icon.getBoundingClientRect())) continue;
    note(icon.parentElement, 'icon', icon.closest('button').getAttribute('aria-label') ?? '', getComputedStyle(icon).color, 1);
    found.at(-1).large = true;
  }
  return found;
}"""
_LEAST: Final = 4.5
_LEAST_OF_LARGE: Final = 3.0


async def measured(page: Page) -> list[dict[str, Any]]:
    """Of each text: where it is, what kind of text, its contrast, and whether it counts as large, as icons do."""
    found: list[dict[str, Any]] = await page.evaluate(_MEASURE)
    return found


def faint(found: list[dict[str, Any]]) -> list[str]:
    """Those that do not stand out enough."""
    return sorted({_line(each) for each in found if each["ratio"] < (_LEAST_OF_LARGE if each["large"] else _LEAST)})


def _line(found: dict[str, Any]) -> str:
    return f"{found['ratio']:.2f} {found['kind']} {found['where']} {found['text']!r}"
