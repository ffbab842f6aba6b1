// The columns beside the conversation: chats at the left, the inspector at the right. Where there is room they stand
// beside it, as they were left; elsewhere they lie over it, until something else is wanted.
(() => {
  "use strict";
  const root = document.documentElement;
  /** @type {Record<string, { room: MediaQueryList, isOpen: boolean }>} */
  const SIDES = {
    left: { room: matchMedia("(min-width: 900px)"), isOpen: true },
    inspector: { room: matchMedia("(min-width: 1100px)"), isOpen: Boolean(window.preferredInspector) },
  };
  const NAMES = Object.keys(SIDES);
  /** @param {string} name */
  const hasRoom = (name) => SIDES[name]?.room.matches ?? false;
  /** @param {string} name */
  const stored = (name) => {
    const said = localStorage.getItem(`side-${name}`);
    return said === null ? SIDES[name]?.isOpen : said === "open";
  };
  /** @param {string} name */
  const isOpen = (name) => root.dataset[name] === "open";
  /** @param {string} name */
  const isOver = (name) => !hasRoom(name) && isOpen(name);
  /** What had the focus. @type {HTMLElement | null} */
  let before = null;

  const tell = () => {
    const over = NAMES.find(isOver);
    for (const name of NAMES) {
      const button = document.getElementById(`toggle-${name}`);
      button?.setAttribute("aria-expanded", String(isOpen(name)));
      const side = document.getElementById(name);
      if (side) side.inert = !isOpen(name) || (over !== undefined && over !== name);
    }
    const middle = document.getElementById("middle");
    if (middle) middle.inert = over !== undefined;
    root.toggleAttribute("data-over", over !== undefined);
  };
  /** @param {string} name @param {boolean} open */
  const set = (name, open) => {
    root.dataset[name] = open ? "open" : "closed";
    if (hasRoom(name)) localStorage.setItem(`side-${name}`, open ? "open" : "closed");
    else if (open) {
      for (const other of NAMES) if (other !== name && isOver(other)) root.dataset[other] = "closed";
      before = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    }
    tell();
    if (isOver(name)) document.getElementById(name)?.querySelector(/** @type {string} */ ("button, input, textarea, [tabindex='0']"))?.focus({ preventScroll: true });
  };
  const closeOver = () => {
    const over = NAMES.filter(isOver);
    if (!over.length) return false;
    for (const name of over) set(name, false);
    before?.focus({ preventScroll: true });
    before = null;
    return true;
  };
  window.sides = {
    isOpen,
    open: (name) => set(name, true),
    close: (name) => set(name, false),
    toggle: (name) => set(name, !isOpen(name)),
    closeOver,
  };

  /** @param {string} name */
  const arrange = (name) => { root.dataset[name] = hasRoom(name) && stored(name) ? "open" : "closed"; };
  NAMES.forEach(arrange);
  for (const [name, { room }] of Object.entries(SIDES))
    room.addEventListener("change", () => {
      arrange(name);
      tell();
    });
  const ready = () => (document.getElementById("toggle-inspector") ? tell() : setTimeout(ready, 20));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();

  document.addEventListener("click", (event) => {
    const name = NAMES.find((each) => event.target?.closest?.(`#toggle-${each}, [data-toggle="${each}"]`));
    if (name) return void set(name, !isOpen(name));
    const over = NAMES.find(isOver);
    if (over && event.target === document.getElementById("frame")) closeOver();
    // Whoever has chosen a chat wants to see it.
    if (over && event.target?.closest?.("#new-chat, #new-incognito, #past-chats .chat-row")) closeOver();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !window.overlay?.isOpen && closeOver()) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
})();
