// The parts of the page by what they are, for screen readers; F6 goes from one to the next.
(() => {
  "use strict";
  /** @type {[string, string, string][]} */
  const ROLES = [
    ["main.contain", "presentation", ""],
    ["#left", "complementary", "Chats"],
    ["#header", "banner", ""],
    ["#tabs", "main", ""],
    ["#inspector", "complementary", "Settings of the chat"],
  ];
  const STOPS = [
    "#box textarea",
    "#chat-list",
    "#navigation",
    "#header",
    "#settings-list",
    "#settings-pages > .tabitem",
    "#inspector",
  ];
  const CAN_FOCUS = "button, a[href], input, textarea, select, [tabindex]:not([tabindex='-1'])";
  /** @param {string} stop */
  const elementOf = (stop) => [...document.querySelectorAll(stop)].find((each) => each.checkVisibility({ visibilityProperty: true }));
  /** @param {Element} region */
  const firstOf = (region) => {
    if (region.matches(CAN_FOCUS)) return region;
    const all = [...region.querySelectorAll(CAN_FOCUS)].filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.matches(":disabled"));
    return all.find((each) => each.matches("[aria-current]")) ?? all[0];
  };
  /** @param {boolean} isBack */
  const go = (isBack) => {
    const there = STOPS.map(elementOf).filter((each) => each !== undefined);
    const here = there.findIndex((each) => each.contains(document.activeElement));
    const step = isBack ? -1 : 1;
    const next = there[(Math.max(here, isBack ? 0 : -1) + step + there.length) % there.length];
    const target = next && firstOf(next);
    if (target instanceof HTMLElement) target.focus();
    return target !== undefined;
  };
  const name = () => {
    for (const [selector, role, label] of ROLES) {
      const element = document.querySelector(selector);
      if (!element) return setTimeout(name, 50);
      element.setAttribute("role", role);
      if (label) element.setAttribute("aria-label", window.text(label));
    }
  };
  window.keys.acts["next-region"] = () => go(false);
  window.keys.acts["previous-region"] = () => go(true);
  name();
})();
