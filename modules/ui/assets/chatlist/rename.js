// A chat or a folder is renamed where its name stands.
(() => {
  "use strict";
  const { pastChats } = window;

  /** @param {HTMLElement} place @param {string} hidden @param {string} name @param {string} label @param {(name: string) => void} save */
  const edit = (place, hidden, name, label, save) => {
    const covered = place.querySelector(hidden);
    if (!covered || place.querySelector(".chat-name")) return;
    const field = pastChats.nameField(name, label, save, () => {
      const hadFocus = document.activeElement === field;
      field.remove();
      covered.hidden = false;
      if (hadFocus || document.activeElement === document.body) covered.focus();
    });
    covered.hidden = true;
    place.prepend(field);
    place.scrollIntoView({ block: "nearest" });
    field.focus();
    field.select();
  };

  pastChats.rename = (id) => {
    const item = pastChats.item(id);
    const row = pastChats.row(id);
    if (!item || !row) return;
    edit(item, ".chat-row", row.title, window.text("Name of the chat. Enter saves it, Escape leaves it as it was."), (name) => {
      const title = item.querySelector(".chat-title");
      if (title) title.textContent = name;
      pastChats.acts.rename({ chat: id, name });
    });
  };

  /** @param {string} id */
  window.pastChats.renameFolder = (id) => {
    const heading = pastChats.root?.querySelector(`.chat-heading[data-folder="${CSS.escape(id)}"]`);
    const folder = pastChats.list.folders.find((each) => each.id === id);
    if (!heading || !folder) return;
    edit(heading, ".chat-group", folder.name, window.text("Name of the folder. Enter saves it, Escape leaves it as it was."),
      (name) => pastChats.arrange({ act: "rename folder", folder: id, name }));
  };
})();
