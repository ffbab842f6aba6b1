// The field that looks through all chats.
(() => {
  "use strict";
  const WAIT = 80;
  const { pastChats } = window;
  pastChats.connectSearch = (element) => {
    const { element: make } = window.overlay;
    const field = make("input", { type: "search", placeholder: window.text("Search"), autocomplete: "off", spellcheck: false, "aria-label": window.text("Search all chats"), "aria-controls": "past-chats", "data-own": "" });
    const clear = make("button", { type: "button", className: "clear-search", title: window.text("Clear (Esc)"), "aria-label": window.text("Clear the search"), hidden: true }, "✕");
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const look = () => {
      clear.hidden = !field.value;
      clearTimeout(timer);
      timer = setTimeout(() => pastChats.search(field.value), field.value ? WAIT : 0);
    };
    const empty = () => {
      field.value = "";
      look();
      field.focus();
    };
    field.addEventListener("input", look);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && field.value) empty();
      else if (event.key === "ArrowDown") /** @type {HTMLElement | null} */ (pastChats.root?.querySelector(".chat-row, .chat-group"))?.focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    clear.addEventListener("click", empty);
    element.append(field, clear);
    pastChats.searchFor = (words) => {
      field.value = words;
      look();
      field.focus();
    };
  };
})();
