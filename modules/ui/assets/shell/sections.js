// The sections of the page and the pages of the settings: lists of buttons press tabs, whose own bars are laid out, so
// that Gradio makes each, and never seen.
(() => {
  "use strict";
  const root = document.documentElement;
  const CHAT = "chat-tab";
  const SETTINGS = "settings-tab";
  const BARS = { section: "#tabs > .tab-wrapper", page: "#settings-pages > .tab-wrapper" };
  const FRAMES = 120;
  /** @param {string} bar */
  const tabsOf = (bar) => [...document.querySelectorAll(`${bar} [role=tab]`)];
  /** @param {Element} tab */
  const nameOf = (tab) => tab.id.replace(/-button$/, "");
  /** @param {string} name */
  const find = (name) => Object.values(BARS).flatMap(tabsOf).find((tab) => nameOf(tab) === name);
  /** @param {string} name @param {number} frames */
  const press = (name, frames) => {
    const tab = find(name);
    if (tab) return tab.click();
    // A page of the settings is there once they have been.
    if (frames > 0) requestAnimationFrame(() => press(name, frames - 1));
  };
  /** @param {string} name */
  const isPage = (name) => document.querySelector(`#navigation [data-section="${name}"]`) === null;
  /** @param {string} name the id of a section's tab, or of a page of the settings */
  const show = (name) => {
    window.sides?.closeOver();
    if (isPage(name)) press(SETTINGS, 0);
    press(name, FRAMES);
  };
  /** @param {string} bar */
  const chosen = (bar) => {
    const tab = tabsOf(bar).find((each) => each.getAttribute("aria-selected") === "true");
    return tab ? { name: nameOf(tab), title: tab.textContent?.trim() ?? "" } : null;
  };
  /** @param {string} list @param {string} name */
  const mark = (list, name) => {
    for (const each of document.querySelectorAll(`${list} .section`)) {
      if (each.dataset.section === name) {
        if (each.hasAttribute("aria-current")) continue;
        each.setAttribute("aria-current", "page");
        // On a phone the pages of the settings are one row that scrolls.
        each.scrollIntoView({ block: "nearest", inline: "nearest" });
      } else each.removeAttribute("aria-current");
    }
  };
  const tell = () => {
    const page = chosen(BARS.page);
    if (page) mark("#settings-list", page.name);
    const section = chosen(BARS.section);
    if (!section || (section.name === root.dataset.section && section.name !== CHAT)) return;
    root.dataset.section = section.name;
    mark("#navigation", section.name);
    const title = document.getElementById("section-title");
    if (title) title.textContent = section.title;
    document.dispatchEvent(new CustomEvent("section", { detail: section.name }));
  };
  window.sections = { show, get current() { return root.dataset.section ?? CHAT; } };
  root.dataset.section = CHAT;

  const watch = () => {
    const tabs = document.getElementById("tabs");
    if (!tabs || !document.querySelector("#navigation .section")) return void setTimeout(watch, 20);
    const changes = { attributes: true, attributeFilter: ["aria-selected"], subtree: true };
    new MutationObserver(tell).observe(tabs, changes);
    tell();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();

  document.addEventListener("click", (event) => {
    const asked = event.target?.closest?.("button[data-section]");
    if (asked?.dataset.section) show(asked.dataset.section);
    // Whoever chooses a chat wants to see it.
    else if (event.target?.closest?.("#new-chat, #new-incognito, #past-chats .chat-row")) show(CHAT);
    const skip = event.target?.closest?.("[data-skip]");
    if (!skip) return;
    event.preventDefault();
    show(CHAT);
    document.querySelector(skip.dataset.skip ?? "")?.focus();
  });
})();
