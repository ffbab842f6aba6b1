// On a phone the sides lie over the conversation, so they are closed until they are wanted.
(() => {
  "use strict";
  const whenThere = (act) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act();
  const isNarrow = () => window.innerWidth <= 768;
  const closeSides = () => document.querySelectorAll(".sidebar.open .toggle-button").forEach((button) => button.click());
  const closeAtFirst = () => {
    if (!isNarrow()) return;
    if (document.querySelectorAll(".sidebar.open .toggle-button").length < 1) return setTimeout(closeAtFirst, 50);
    closeSides();
  };
  whenThere(closeAtFirst);
  document.addEventListener("click", (event) => {
    if (isNarrow() && event.target.closest?.("#new-chat, #new-incognito, #past-chats label")) closeSides();
  });
})();
