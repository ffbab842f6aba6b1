// Pointer and keys in the list of chats.
(() => {
  "use strict";
  const { pastChats } = window;
  const LONG = 500;
  const NEAR = 10;
  /** @param {Event} event @param {string} selector */
  const near = (event, selector) => (event.target instanceof Element && pastChats.root?.contains(event.target) ? event.target.closest(selector) : null);
  /** @param {Element} place @param {OverlayAnchor} anchor */
  const menuOf = (place, anchor) => {
    const chat = place.closest(".chat-item")?.dataset.chat;
    const folder = place.closest(".chat-heading")?.dataset.folder;
    if (chat) pastChats.menu(chat, anchor);
    else if (folder) pastChats.folderMenu(folder, anchor);
    return Boolean(chat || folder);
  };

  let isHeld = false;
  document.addEventListener("click", (event) => {
    const link = near(event, ".chat-row");
    const more = near(event, ".chat-more");
    const tag = near(event, ".chat-tag");
    if (more) menuOf(more, more);
    if (tag) pastChats.searchFor?.(tag.textContent ?? "");
    // With Ctrl or the middle button a link opens a tab of its own.
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const chat = link.closest(".chat-item")?.dataset.chat ?? "";
    if (isHeld) isHeld = false;
    else if (chat !== pastChats.shown.chat) pastChats.open(chat);
  });
  document.addEventListener("dblclick", (event) => {
    const item = near(event, ".chat-row")?.closest(".chat-item");
    if (item) pastChats.rename(item.dataset.chat ?? "");
    const heading = near(event, ".chat-group")?.closest(".chat-heading");
    if (heading?.dataset.folder) pastChats.renameFolder(heading.dataset.folder);
  });
  document.addEventListener("contextmenu", (event) => {
    const place = near(event, ".chat-item, .chat-heading");
    if (!place || near(event, ".chat-name")) return;
    const isByKey = event.clientX === 0 && event.clientY === 0;
    if (menuOf(place, isByKey ? place : { x: event.clientX, y: event.clientY })) event.preventDefault();
  });

  // A finger that rests on a row asks for its menu.
  document.addEventListener("pointerdown", (event) => {
    const place = event.pointerType === "touch" ? near(event, ".chat-row, .chat-group") : null;
    if (!place) return;
    isHeld = false;
    const from = { x: event.clientX, y: event.clientY };
    const timer = setTimeout(() => {
      isHeld = menuOf(place, place);
      stop();
    }, LONG);
    /** @param {PointerEvent} moved */
    const move = (moved) => Math.hypot(moved.clientX - from.x, moved.clientY - from.y) > NEAR && stop();
    const stop = () => {
      clearTimeout(timer);
      document.removeEventListener("pointermove", move);
    };
    document.addEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, stop, { once: true });
  });

  document.addEventListener("keydown", (event) => {
    const stop = near(event, ".chat-row, .chat-group");
    if (!stop || event.ctrlKey || event.metaKey || event.altKey) return;
    const chat = stop.closest(".chat-item")?.dataset.chat;
    const folder = stop.closest(".chat-heading")?.dataset.folder;
    const isOpen = stop.getAttribute("aria-expanded");
    const isTaken = (() => {
      if (event.key === "F2" && chat) return pastChats.rename(chat), true;
      if (event.key === "F2" && folder) return pastChats.renameFolder(folder), true;
      if (event.key === "Delete" && chat) return pastChats.remove(chat), true;
      if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) return menuOf(stop, stop);
      if (event.key === "ArrowRight" && isOpen === "false") return stop.click(), true;
      if (event.key === "ArrowLeft" && isOpen === "true") return stop.click(), true;
      if (event.key === "ArrowRight" && chat) return menuOf(stop, stop);
      return pastChats.moveFocus(event);
    })();
    // Elsewhere they are keys of the conversation.
    if (isTaken || event.key.startsWith("Arrow")) event.preventDefault();
    if (event.key.startsWith("Arrow") || isTaken) event.stopPropagation();
  }, true);
})();
