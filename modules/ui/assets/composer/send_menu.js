// The menu beside Send: other ways to use what is written.
(() => {
  "use strict";
  const press = (id) => document.getElementById(id)?.click();
  const ITEMS = [
    { label: "Write as me", detail: "The model writes your next message (Impersonate)", keys: "Ctrl+Shift+M", act: () => press("impersonate") },
    { label: "Insert as me", detail: "Adds what is written without asking for a reply", act: () => press("dummy-message") },
    { label: "Insert as assistant", detail: "Adds what is written as a reply", act: () => press("dummy-reply") },
  ];
  const add = () => {
    const row = document.querySelector("#chat-actions");
    if (!row) return setTimeout(add, 100);
    const button = Object.assign(document.createElement("button"), { type: "button", id: "send-menu", title: "More ways to send" });
    button.setAttribute("aria-label", "More ways to send");
    button.setAttribute("aria-haspopup", "menu");
    button.append(Object.assign(document.createElement("span"), { className: "icon icon-chevron-down" }));
    button.addEventListener("click", () => window.overlay.menu(button, ITEMS, { label: "More ways to send" }));
    row.append(button);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", add);
  else add();
})();
