// The sections of the page: the navigation presses their tabs, whose own bar is hidden but laid out, so that each is there.
(() => {
  "use strict";
  const root = document.documentElement;
  const CHAT = "chat-tab";
  const tabs = () => [...document.querySelectorAll("#tabs > .tab-wrapper [role=tab]")];
  const nameOf = (tab) => tab.id.replace(/-button$/, "");
  const find = (name) => tabs().find((tab) => nameOf(tab) === name);
  /** @param {string} name the id of the section's tab */
  const show = (name) => {
    find(name)?.click();
    window.sides?.closeOver();
  };
  const tell = () => {
    const tab = tabs().find((each) => each.getAttribute("aria-selected") === "true");
    if (!tab) return;
    const name = nameOf(tab);
    root.dataset.section = name;
    for (const each of document.querySelectorAll("#navigation .section"))
      each.toggleAttribute("aria-current", each.dataset.section === name);
    for (const each of document.querySelectorAll("#navigation [aria-current]")) each.setAttribute("aria-current", "page");
    const title = document.getElementById("chat-title");
    if (title && name !== CHAT) title.textContent = tab.textContent.trim();
    document.dispatchEvent(new CustomEvent("section", { detail: name }));
  };
  window.sections = { show, get current() { return root.dataset.section ?? CHAT; } };
  root.dataset.section = CHAT;

  const watch = () => {
    const bar = document.querySelector("#tabs > .tab-wrapper");
    if (!bar || !document.querySelector("#navigation .section")) return setTimeout(watch, 20);
    new MutationObserver(tell).observe(bar, { attributes: true, attributeFilter: ["aria-selected"], childList: true, subtree: true });
    tell();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();

  document.addEventListener("click", (event) => {
    const asked = event.target.closest?.("[data-section]:not(html)");
    if (asked) show(asked.dataset.section);
    // Whoever chooses a chat wants to see it.
    else if (event.target.closest?.("#new-chat, #new-incognito, #past-chats label")) show(CHAT);
    const skip = event.target.closest?.("[data-skip]");
    if (!skip) return;
    event.preventDefault();
    show(CHAT);
    document.querySelector(skip.dataset.skip)?.focus();
  });
})();
