// The menu beside Send: other ways to use what is written.
(() => {
  "use strict";
  /** @param {string} id */
  const press = (id) => document.getElementById(id)?.click();
  const ITEMS = [
    { label: window.text("Write as me"), detail: window.text("The model writes your next message (Impersonate)"), keys: window.keys?.of("impersonate") ?? "", act: () => press("impersonate") },
    { label: window.text("Insert as me"), detail: window.text("Adds what is written without asking for a reply"), act: () => press("dummy-message") },
    { label: window.text("Insert as assistant"), detail: window.text("Adds what is written as a reply"), act: () => press("dummy-reply") },
  ];
  const add = () => {
    const row = document.querySelector("#chat-actions");
    if (!row) return void setTimeout(add, 100);
    const button = Object.assign(document.createElement("button"), { type: "button", id: "send-menu", title: window.text("More ways to send") });
    button.setAttribute("aria-label", window.text("More ways to send"));
    button.setAttribute("aria-haspopup", "menu");
    button.append(Object.assign(document.createElement("span"), { className: "icon icon-chevron-down" }));
    button.addEventListener("click", () => window.overlay.menu(button, ITEMS, { label: window.text("More ways to send") }));
    row.append(button);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", add);
  else add();
})();
