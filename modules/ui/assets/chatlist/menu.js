// What can be done with a chat or a folder, and with the whole list.
(() => {
  "use strict";
  const { pastChats } = window;

  /** @param {string} title @param {string} label @param {string} value @param {(text: string) => unknown} save */
  const askFor = (title, label, value, save) => {
    const field = window.overlay.element("input", { type: "text", value, maxLength: 300, "data-own": "" });
    const handle = window.overlay.open({
      title, size: "small",
      content: window.overlay.element("label", {}, window.overlay.element("span", {}, label), field),
      actions: [{ label: window.text("Cancel") }, { label: window.text("Save"), kind: "primary", act: () => save(field.value) }],
    });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      handle.dialog.querySelector(".overlay-button.primary")?.click();
    });
  };
  /** @param {Record<string, unknown>} more */
  const newFolder = (more = {}) => askFor(window.text("New folder"), window.text("Name"), "", (name) => {
    if (!name.trim()) throw new Error(window.text("Give the folder a name."));
    return pastChats.arrange({ act: "new folder", name, ...more });
  });

  /** @param {ChatRow} row @returns {OverlayMenuItem[]} */
  const folders = (row) => {
    const { folders: all } = pastChats.list;
    const top = all.filter((each) => !all.some((other) => other.id === each.parent));
    const inOrder = top.flatMap((each) => [each, ...all.filter((other) => other.parent === each.id)]);
    return [
      { label: window.text("No folder"), checked: !row.folder, act: () => pastChats.arrange({ act: "move", chat: row.id, folder: "" }) },
      ...inOrder.map((each) => ({
        label: `${top.includes(each) ? "" : "\u2003"}${each.name}`, checked: row.folder === each.id,
        act: () => pastChats.arrange({ act: "move", chat: row.id, folder: each.id }),
      })),
      { separator: true },
      { label: window.text("New folder…"), act: () => newFolder({ chat: row.id }) },
    ];
  };
  /** @param {ChatRow} row */
  const tags = (row) => askFor(
    window.text("Tags of “{name}”", { name: row.title }), window.text("Tags, with commas between them. Search for #tag to find them."), (row.tags ?? []).join(", "),
    (text) => pastChats.arrange({ act: "tag", chat: row.id, tags: text.split(",") }));

  pastChats.menu = (id, anchor) => {
    // A chat of the title's menu may be older than those that are listed.
    const row = pastChats.row(id) ?? { id, title: pastChats.shown.title, changed: 0 };
    if (!id) return;
    /** @param {"md" | "json"} format */
    const save = (format) => () => pastChats.acts.save({ chat: id, format });
    window.overlay.menu(anchor, [
      { label: window.text("Rename"), keys: "F2", act: () => pastChats.rename(id) },
      { label: row.pinned ? window.text("Unpin") : window.text("Pin"), act: () => pastChats.arrange({ act: row.pinned ? "unpin" : "pin", chat: id }) },
      { label: window.text("Move to folder"), items: () => folders(row) },
      { label: window.text("Tags…"), act: () => tags(row) },
      { separator: true },
      { label: window.text("Branch"), act: () => pastChats.acts.copy({ chat: id, kind: "branch" }) },
      { label: window.text("Duplicate"), act: () => pastChats.acts.copy({ chat: id, kind: "copy" }) },
      { label: window.text("Export"), items: [{ label: window.text("Markdown (.md)"), act: save("md") }, { label: window.text("JSON (.json)"), act: save("json") }] },
      { separator: true },
      { label: window.text("Delete"), keys: window.text("Del"), isDangerous: true, act: () => pastChats.remove(id) },
    ], { label: window.text("Actions for {name}", { name: row.title }) });
  };

  pastChats.folderMenu = (id, anchor) => {
    const folder = pastChats.list.folders.find((each) => each.id === id);
    if (!folder) return;
    const isInner = pastChats.list.folders.some((each) => each.id === folder.parent);
    window.overlay.menu(anchor, [
      { label: window.text("Rename"), keys: "F2", act: () => pastChats.renameFolder(id) },
      ...(isInner
        ? [{ label: window.text("Move to the top"), act: () => pastChats.arrange({ act: "move folder", folder: id, parent: "" }) }]
        : [{ label: window.text("New folder in it…"), act: () => newFolder({ parent: id }) }]),
      { separator: true },
      { label: window.text("Delete folder"), isDangerous: true, detail: window.text("Its chats stay"), act: () => pastChats.arrange({ act: "delete folder", folder: id }) },
    ], { label: window.text("Actions for the folder {name}", { name: folder.name }) });
  };

  const importChats = () => document.querySelector("#import-chats button, button#import-chats")?.click();
  const exportAll = () => pastChats.acts.save({ chat: "", format: "zip" });
  // The same stands in the settings.
  const deleteAll = () => pastChats.removeAll();
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-chats]") : null;
    if (button) ({ export: exportAll, import: importChats, delete: deleteAll })[/** @type {"export" | "import" | "delete"} */ (button.dataset.chats)]?.();
  });

  pastChats.connectMenu = (element) => {
    const button = window.overlay.element("button", { type: "button", className: "chats-more", "aria-haspopup": "menu", "aria-label": window.text("More for chats"), title: window.text("More") }, "⋯");
    element.append(button);
    button.addEventListener("click", () => window.overlay.menu(button, [
      { label: window.text("New folder…"), act: () => newFolder() },
      { separator: true },
      { label: window.text("Import chats…"), detail: window.text(".json, .md or .zip"), act: importChats },
      { label: window.text("Export all chats"), detail: window.text(".zip"), act: exportAll },
      { separator: true },
      { label: window.text("Delete all chats…"), isDangerous: true, act: deleteAll },
    ], { label: window.text("More for chats") }));
  };
})();
