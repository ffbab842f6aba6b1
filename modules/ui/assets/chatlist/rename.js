// A chat is renamed where its name stands: in the list of past chats.
(() => {
  "use strict";
  const MOST = 100;
  let open = null;
  const close = () => {
    const place = open;
    open = null;
    place?.remove();
  };
  const save = (field, chat) => {
    const name = field.value.trim();
    const isNew = name && name !== field.defaultValue;
    close();
    if (isNew) window.chatPage.send({ act: "rename", chat, name });
  };
  const rename = (label) => {
    close();
    // The server says why a chat that is not in the list has no name.
    if (!label) return window.chatPage.send({ act: "rename" });
    const chat = label.querySelector("input").value;
    const field = Object.assign(document.createElement("input"), { type: "text", className: "chat-name", maxLength: MOST });
    field.defaultValue = label.querySelector("span").textContent.trim();
    field.setAttribute("aria-label", "Name of the chat. Enter saves it, Escape leaves it as it was.");
    const place = Object.assign(document.createElement("span"), { id: "chat-name" });
    place.append(field);
    label.append(place);
    open = place;
    label.scrollIntoView({ block: "nearest" });
    field.focus();
    field.select();
    field.addEventListener("blur", close);
    for (const kind of ["input", "change", "keypress", "keyup", "click", "dblclick"])
      field.addEventListener(kind, (event) => event.stopPropagation());
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.isComposing) return;
      if (event.key === "Enter") save(field, chat);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
      label.querySelector("input")?.focus();
    });
  };
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#rename-chat")) rename(document.querySelector("#past-chats label.selected"));
  });
  document.addEventListener("dblclick", (event) => {
    const label = event.target.closest?.("#past-chats label.selected");
    if (label) rename(label);
  });
  document.addEventListener("keydown", (event) => {
    const label = event.key === "F2" ? document.activeElement?.closest("#past-chats label.selected") : null;
    if (label) rename(label);
  });
})();
