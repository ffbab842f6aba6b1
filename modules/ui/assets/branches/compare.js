// Two versions of a reply beside each other, in place of the conversation.
(() => {
  "use strict";
  /** @type {Send} */
  let ask = () => {};
  /** @type {Send} */
  let write = () => {};
  /** @type {() => string} */
  let choices = () => "[]";
  const isOpen = () => Boolean(document.querySelector("#compare"));
  const place = () => document.querySelector("#place textarea, #place input");
  const chatShown = () => (/** @type {HTMLInputElement | null} */ (place()))?.value ?? "";
  let opened = "";
  const close = () => document.querySelector("#compare-close")?.click();

  window.compare = {
    connect(asks, writes, offered) {
      [ask, write, choices] = [asks, writes, offered];
    },
    open(index) {
      opened = chatShown();
      ask({ index });
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen() || window.overlay.isOpen || event.defaultPrevented) return;
    const focused = document.activeElement;
    // A menu that is open closes first.
    if (focused?.matches("[aria-expanded=true]")) return;
    close();
    event.stopPropagation();
  }, true);

  /** @param {HTMLElement} button */
  const offer = (button) => {
    const side = button.closest("#compare-right") ? 1 : 0;
    /** @type {{group?: string, label: string, choice: string}[]} */
    const offered = JSON.parse(choices());
    let group = "";
    const items = offered.flatMap((each) => {
      const item = { label: each.label, act: () => write({ side, choice: each.choice }) };
      if (!each.group || each.group === group) return [item];
      group = each.group;
      return [{ heading: group }, item];
    });
    window.overlay.menu(button, items, { label: window.text("Regenerate with") });
  };
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest(".compare-again") : null;
    if (button) offer(button);
  });

  const addButton = () => {
    const header = document.querySelector("#header-actions");
    if (!header || document.querySelector("#open-compare")) return;
    const button = window.overlay.element(
      "button",
      { id: "open-compare", type: "button", className: "icon-only", title: window.text("Compare versions of the last reply"), "aria-label": window.text("Compare") },
      window.overlay.element("i", { className: "icon icon-columns-2" }),
    );
    button.addEventListener("click", () => (isOpen() ? close() : window.compare.open(null)));
    header.append(button);
  };
  const look = () => {
    addButton();
    // Another chat was opened.
    if (isOpen() && opened && chatShown() !== opened) {
      opened = "";
      close();
    }
  };
  const watch = () => {
    const chat = document.getElementById("chat");
    if (!chat || !document.querySelector("#header-actions")) {
      setTimeout(watch, 50);
      return;
    }
    look();
    new MutationObserver(look).observe(chat, { childList: true, subtree: true });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
