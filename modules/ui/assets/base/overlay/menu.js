// Menus at a button: a native popover, which closes at Esc and at a press beside it. On a phone it is a sheet at the
// lower edge.
(() => {
  "use strict";
  const GAP = 4;
  const EDGE = 8;
  const { element } = window.overlay;
  const isPhone = () => window.matchMedia("(max-width: 699px)").matches;

  /** @param {OverlayAnchor} anchor @returns {DOMRect} */
  const placeOf = (anchor) =>
    anchor instanceof Element ? anchor.getBoundingClientRect() : new DOMRect(anchor.x, anchor.y, 0, 0);

  /** Below the anchor, above it where there is more room; never over an edge of the window.
   * @param {HTMLElement} menu @param {OverlayAnchor} anchor */
  const put = (menu, anchor) => {
    menu.style.cssText = "";
    if (isPhone()) return;
    const place = placeOf(anchor);
    const { width, height } = menu.getBoundingClientRect();
    const below = innerHeight - place.bottom - GAP - EDGE;
    const above = place.top - GAP - EDGE;
    const isBelow = height <= below || below >= above;
    const end = getComputedStyle(menu).direction === "rtl" ? place.right - width : place.left;
    menu.style.left = `${Math.max(EDGE, Math.min(end, innerWidth - width - EDGE))}px`;
    menu.style.maxHeight = `${Math.max(isBelow ? below : above, 120)}px`;
    menu.style.top = isBelow ? `${place.bottom + GAP}px` : `${Math.max(EDGE, place.top - GAP - Math.min(height, above))}px`;
  };

  /** @param {OverlayMenuItem} item */
  const roleOf = (item) => (item.checked === undefined ? "menuitem" : "menuitemradio");

  /** @param {OverlayMenuItem} item @param {(item: OverlayMenuItem) => void} choose */
  const row = (item, choose) => {
    if (item.separator) return element("hr", {});
    if (item.heading) return element("div", { className: "overlay-heading", role: "presentation", textContent: item.heading });
    const made = element(
      "button",
      { type: "button", className: "overlay-item", role: roleOf(item), tabIndex: -1, disabled: item.disabled, title: item.title },
      element("span", { className: "icon", "aria-hidden": "true" }, item.checked ? "✓" : (item.icon ?? "")),
      element("span", { className: "label" }, item.label ?? "", item.detail && element("small", {}, item.detail)),
      item.keys && element("kbd", {}, item.keys),
      item.items && element("span", { className: "more", "aria-hidden": "true" }, "›"),
    );
    if (item.checked !== undefined) made.setAttribute("aria-checked", String(item.checked));
    if (item.items) made.setAttribute("aria-haspopup", "menu");
    made.classList.toggle("danger", Boolean(item.isDangerous));
    made.addEventListener("click", (event) => {
      event.stopPropagation();
      choose(item);
    });
    return made;
  };

  /** @param {HTMLElement} menu */
  const itemsOf = (menu) => /** @type {HTMLButtonElement[]} */ ([...menu.querySelectorAll(".overlay-item:not(:disabled)")]);

  /** @param {HTMLElement} menu @param {KeyboardEvent} event @returns {boolean} */
  const move = (menu, event) => {
    const items = itemsOf(menu);
    const here = items.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const starts = (/** @type {HTMLButtonElement} */ each) =>
      each.querySelector(".label")?.textContent?.toLowerCase().startsWith(event.key.toLowerCase());
    const to = {
      ArrowDown: items[(here + 1) % items.length], ArrowUp: items.at(here < 0 ? -1 : here - 1), Home: items[0], End: items.at(-1),
    }[event.key];
    const typed = event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.key !== " ";
    const meant = to ?? (typed ? [...items.slice(here + 1), ...items.slice(0, here + 1)].find(starts) : undefined);
    meant?.focus();
    return Boolean(to) || typed;
  };

  /** @param {OverlayAnchor} anchor @param {OverlayMenuItem[]} items @param {OverlayMenuOptions} [options] @returns {OverlayMenuHandle} */
  const menu = (anchor, items, options = {}) => {
    const made = element("div", { className: "overlay-menu", role: "menu", popover: "auto", "aria-label": options.label ?? window.text("Menu") });
    const before = document.activeElement;
    /** @type {OverlayMenuItem[][]} */
    const above = [];
    let isOver = false;
    const close = () => {
      if (isOver) return;
      isOver = true;
      const hadFocus = made.contains(document.activeElement) || document.activeElement === document.body;
      if (made.matches(":popover-open")) made.hidePopover();
      made.remove();
      if (anchor instanceof Element) anchor.removeAttribute("aria-expanded");
      if (hadFocus && before instanceof HTMLElement && before.isConnected) before.focus();
      options.onClose?.();
    };
    /** @param {OverlayMenuItem[]} shown */
    const show = (shown) => {
      const back = above.length ? [{ label: window.text("Back"), icon: "‹", act: undefined, isBack: true }] : [];
      made.replaceChildren(...[...back, ...shown].map((each) => row(each, choose)));
      put(made, anchor);
      (itemsOf(made).find((each) => each.getAttribute("aria-checked") === "true") ?? itemsOf(made)[0])?.focus();
    };
    let current = items;
    const goBack = () => {
      const last = above.pop();
      if (last) show((current = last));
    };
    /** @param {OverlayMenuItem} item */
    const choose = (item) => {
      if (item.isBack) return goBack();
      if (item.items) {
        above.push(current);
        return show((current = typeof item.items === "function" ? item.items() : item.items));
      }
      close();
      item.act?.();
    };
    made.addEventListener("keydown", (event) => {
      const active = document.activeElement;
      const isTaken = (() => {
        if (event.key === "ArrowRight" && active?.getAttribute("aria-haspopup")) return /** @type {HTMLElement} */ (active).click(), true;
        if (event.key === "ArrowLeft" && above.length) return goBack(), true;
        if (event.key === "Tab") return close(), true;
        return move(made, event);
      })();
      event.stopPropagation();
      if (isTaken) event.preventDefault();
    });
    made.addEventListener("toggle", (event) => {
      if (/** @type {ToggleEvent} */ (event).newState === "closed") close();
    });
    // What a modal dialog does not hold is inert.
    const host = anchor instanceof Element ? anchor.closest("dialog") : window.overlay.top?.dialog;
    (host ?? document.body).append(made);
    if (anchor instanceof Element) anchor.setAttribute("aria-expanded", "true");
    made.showPopover();
    show(items);
    return { element: made, close };
  };
  window.overlay.menu = menu;
})();
