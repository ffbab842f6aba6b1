// Chats are dragged to folders, to the pinned ones, or out of both; folders into folders.
(() => {
  "use strict";
  const { pastChats } = window;
  /** @type {{chat?: string, folder?: string} | null} */
  let dragged = null;
  /** @type {Element[]} */
  let marked = [];

  const mark = (/** @type {Element[]} */ places) => {
    for (const each of marked) each.classList.remove("is-target");
    marked = places;
    for (const each of marked) each.classList.add("is-target");
  };
  /** Headings and rows of a group are one place.
   * @param {DragEvent} event */
  const targetOf = (event) => {
    const place = event.target instanceof Element && pastChats.root?.contains(event.target) ? event.target.closest(".chat-item, .chat-heading") : null;
    const key = place?.dataset.key;
    return dragged && key ? { key, folder: place.dataset.folder ?? "", isPinned: key === "pinned" } : null;
  };

  document.addEventListener("dragstart", (event) => {
    const place = event.target instanceof Element && pastChats.root?.contains(event.target) ? event.target.closest(".chat-item, .chat-heading") : null;
    if (!place || place.querySelector(".chat-name")) return;
    dragged = place.dataset.chat ? { chat: place.dataset.chat } : place.dataset.folder ? { folder: place.dataset.folder } : null;
    if (!dragged) return event.preventDefault();
    event.dataTransfer?.setData("text/plain", place.textContent ?? "");
    if (event.dataTransfer) event.dataTransfer.effectAllowed = "move";
    place.classList.add("is-dragged");
  });
  document.addEventListener("dragover", (event) => {
    const target = targetOf(event);
    if (!target || (dragged?.folder && target.isPinned)) return mark([]);
    event.preventDefault();
    mark([...(pastChats.root?.querySelectorAll(`.chat-heading[data-key="${CSS.escape(target.key)}"]`) ?? [])]);
  });
  document.addEventListener("drop", (event) => {
    const target = targetOf(event);
    const what = dragged;
    if (!target || !what) return;
    event.preventDefault();
    event.stopPropagation();
    if (what.folder && what.folder !== target.folder) pastChats.arrange({ act: "move folder", folder: what.folder, parent: target.folder });
    else if (what.chat) drop(what.chat, target);
  }, true);
  /** @param {string} chat @param {{folder: string, isPinned: boolean}} target */
  const drop = async (chat, target) => {
    const row = pastChats.row(chat);
    if (target.isPinned) return pastChats.arrange({ act: "pin", chat });
    if (row?.pinned) await pastChats.arrange({ act: "unpin", chat });
    if ((row?.folder ?? "") !== target.folder) await pastChats.arrange({ act: "move", chat, folder: target.folder });
  };
  document.addEventListener("dragend", () => {
    dragged = null;
    mark([]);
    for (const each of pastChats.root?.querySelectorAll(".is-dragged") ?? []) each.classList.remove("is-dragged");
  });
})();
