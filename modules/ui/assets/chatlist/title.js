// The chat's name in the header and in the window's title. What is pressed to rename it is the name itself.
(() => {
  "use strict";
  const { pastChats } = window;
  const PROGRAM = "Local models";
  const make = window.overlay.element;
  /** @param {ShownChat} shown */
  const nameOf = (shown) => (shown.temporary ? window.text("Temporary chat") : shown.title || window.text("New chat"));
  const isChat = () => (window.sections?.current ?? "chat-tab") === "chat-tab";

  /** @param {HTMLElement} heading @param {ShownChat} shown */
  const rename = (heading, shown) => {
    const before = [...heading.children];
    const field = pastChats.nameField(shown.title, window.text("Name of the chat. Enter saves it, Escape leaves it as it was."),
      (name) => {
        const said = before[0];
        if (said) said.textContent = name;
        pastChats.acts.rename({ chat: shown.chat, name });
      },
      () => heading.replaceChildren(...before));
    heading.replaceChildren(field);
    field.focus();
    field.select();
  };

  /** @param {ShownChat} shown */
  const draw = (shown) => {
    const heading = document.getElementById("chat-title");
    if (!heading || !isChat() || heading.querySelector(".chat-name")) return;
    const said = JSON.stringify(shown);
    if (heading.dataset.said === said && heading.children.length) return;
    heading.dataset.said = said;
    if (!shown.chat) {
      const mark = shown.temporary ? make("i", { className: "icon icon-ghost", "aria-hidden": "true" }) : "";
      heading.replaceChildren(make("span", { className: "title-name" }, mark, nameOf(shown)));
      return;
    }
    const name = make("button", { type: "button", className: "title-name", title: window.text("Rename") }, nameOf(shown));
    const more = make("button", { type: "button", className: "title-more", "aria-haspopup": "menu", "aria-label": window.text("Actions for this chat"), title: window.text("Actions") },
      make("i", { className: "icon icon-chevron-down", "aria-hidden": "true" }));
    name.addEventListener("click", () => rename(heading, pastChats.shown));
    more.addEventListener("click", () => pastChats.menu(pastChats.shown.chat, more));
    heading.replaceChildren(name, more);
  };

  // A dot stands before the name while a reply is written.
  /** @param {ShownChat} shown */
  const tell = (shown) => {
    const name = nameOf(shown);
    const title = `${pastChats.isWriting() ? "● " : ""}${name === window.text("New chat") ? window.text(PROGRAM) : name}`;
    if (document.title !== title) document.title = title;
  };
  const update = () => {
    draw(pastChats.shown);
    tell(pastChats.shown);
  };
  // The page says what it shows once it has asked.
  let isTold = false;
  pastChats.watch((shown) => {
    if (!isTold && !pastChats.list.revision) return;
    isTold = true;
    draw(shown);
    tell(shown);
  });
  document.addEventListener("section", () => isTold && update());
})();
