// The list of chats: what the server says of it, drawn anew only where it differs.
(() => {
  "use strict";
  const STEP = 200;
  /** @type {ChatServer} */
  let server;
  /** @type {ChatActs} */
  let acts;
  /** @type {HTMLElement | null} */
  let root = null;
  /** @type {ChatRows} */
  let list = { character: null, revision: "", chats: [], folders: [], more: false, problem: "" };
  /** @type {ChatRows | null} */
  let found = null;
  let words = "";
  let asked = 0;
  let limit = 0;
  let isAsking = false;
  let heard = "";
  let isListening = false;
  /** @type {ShownChat} */
  let shown = { chat: "", title: "", temporary: false };
  /** @type {((shown: ShownChat) => void)[]} */
  const listeners = [];
  /** @type {Map<string, {element: HTMLElement, said: string}>} */
  const drawn = new Map();
  let focused = "";

  const closed = new Set(JSON.parse(localStorage.getItem("closed-chat-groups") ?? "[]"));
  /** @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag @param {Record<string, unknown>} [traits] @param {(Node | string)[]} children
   * @returns {HTMLElementTagNameMap[Tag]} */
  const make = (tag, traits = {}, ...children) => window.overlay.element(tag, traits, ...children);

  const tellListeners = () => {
    const row = list.chats.find((each) => each.id === shown.chat);
    if (row) shown = { ...shown, title: row.title };
    for (const listener of listeners) listener(shown);
  };

  // ---- Drawing.
  /** @param {ChatRow} chat */
  const dot = (chat) => {
    if (chat.writing) return make("span", { className: "chat-dot writing", title: window.text("A reply is being written") });
    if (chat.unseen && chat.id !== shown.chat) return make("span", { className: "chat-dot unseen", title: window.text("A new reply") });
    return "";
  };
  /** @param {ChatRow} chat */
  const passage = (chat) => {
    const pieces = chat.pieces ?? [];
    if (!pieces.some(([, isFound]) => isFound)) return "";
    return make("span", { className: "chat-passage" }, ...pieces.map(([text, isFound]) => (isFound ? make("mark", {}, text) : text)));
  };
  /** @param {ChatRow} chat */
  const fillRow = (chat) => {
    const link = make(
      "a",
      { className: "chat-row", href: `?chat=${encodeURIComponent(chat.id)}`, tabIndex: -1, title: chat.title, draggable: false },
      dot(chat), make("span", { className: "chat-title" }, chat.title), passage(chat),
    );
    if (chat.id === shown.chat) link.setAttribute("aria-current", "page");
    const tags = (chat.tags ?? []).map((tag) => make("button", { type: "button", className: "chat-tag", tabIndex: -1, title: window.text("Show chats with #{tag}", { tag }) }, `#${tag}`));
    const more = make("button", { type: "button", className: "chat-more", tabIndex: -1, "aria-haspopup": "menu", "aria-label": window.text("Actions for {name}", { name: chat.title }), title: window.text("Actions") }, "⋯");
    return [link, ...(tags.length ? [make("span", { className: "chat-tags" }, ...tags)] : []), more];
  };
  /** @param {ChatSection} section */
  const fillHeading = (section) => {
    const isOpen = !closed.has(section.key);
    const button = make("button", { type: "button", className: "chat-group", tabIndex: -1, "aria-expanded": String(isOpen) },
      make("span", { className: "chat-chevron", "aria-hidden": "true" }), make("span", { className: "chat-group-name" }, section.label));
    if (section.kind === "folder" && section.chats.length) button.append(make("span", { className: "chat-count", "aria-hidden": "true" }, String(section.chats.length)));
    const more = make("button", { type: "button", className: "chat-more", tabIndex: -1, "aria-haspopup": "menu", "aria-label": window.text("Actions for the folder {name}", { name: section.label }), title: window.text("Actions") }, "⋯");
    return section.kind === "folder" ? [button, more] : [button];
  };
  /** @param {string} key @param {string} said @param {() => HTMLElement} create @param {() => Node[]} fill */
  const drawnAs = (key, said, create, fill) => {
    const before = drawn.get(key);
    const element = before?.element ?? create();
    // A name that is being written stays.
    if (before?.said !== said && !element.querySelector(".chat-name")) {
      element.replaceChildren(...fill());
      drawn.set(key, { element, said });
    }
    return element;
  };
  /** @param {ChatSection} section */
  const headingOf = (section) => {
    const heading = drawnAs(`heading ${section.key}`, JSON.stringify([section.label, section.chats.length, closed.has(section.key)]),
      () => make("h3", { className: "chat-heading" }), () => fillHeading(section));
    heading.dataset.key = section.key;
    heading.dataset.kind = section.kind;
    heading.dataset.folder = section.folder ?? "";
    heading.classList.toggle("inner", section.depth > 0);
    heading.draggable = section.kind === "folder";
    return heading;
  };
  /** @param {ChatRow} chat @param {ChatSection} section */
  const itemOf = (chat, section) => {
    const item = drawnAs(`chat ${chat.id}`, JSON.stringify([chat, chat.id === shown.chat]),
      () => make("div", { className: "chat-item", draggable: true, role: "listitem" }), () => fillRow(chat));
    item.dataset.chat = chat.id;
    item.dataset.key = section.key;
    item.dataset.folder = section.folder ?? "";
    item.classList.toggle("inner", section.depth > 0);
    item.classList.toggle("in-folder", section.kind === "folder");
    return item;
  };
  const note = () => {
    const text = found ? (found.chats.length ? "" : window.text("Nothing found for “{words}”.", { words })) : list.problem;
    return text ? [drawnAs("note", text, () => make("p", { className: "chat-note", role: "status" }), () => [document.createTextNode(text)])] : [];
  };
  const draw = () => {
    if (!root) return;
    const current = found ?? list;
    const had = root.contains(document.activeElement) ? document.activeElement : null;
    /** @type {HTMLElement[]} */
    const wanted = note();
    for (const section of window.chatSections(current, found ? words : "", new Date())) {
      wanted.push(headingOf(section));
      if (!closed.has(section.key)) {
        const rows = section.chats.map((chat) => itemOf(chat, section));
        const group = drawnAs(`group ${section.key}`, "", () => make("div", { className: "chat-rows", role: "list" }), () => []);
        group.setAttribute("aria-label", section.label);
        put(group, rows);
        if (rows.length) wanted.push(group);
      }
    }
    if (current.more) wanted.push(drawnAs("end", "", () => make("div", { className: "chat-end" }), () => []));
    put(root, wanted);
    rove();
    // What was drawn anew, or moved, has lost it.
    if (had instanceof HTMLElement && document.activeElement !== had) (had.isConnected ? had : root.querySelector("[tabindex='0']"))?.focus();
    lookForEnd();
  };
  /** @param {HTMLElement} parent @param {HTMLElement[]} children */
  const put = (parent, children) => {
    const kept = new Set(children);
    for (const each of [...parent.children]) if (!kept.has(/** @type {HTMLElement} */ (each))) each.remove();
    children.forEach((each, place) => {
      if (parent.children[place] !== each) parent.insertBefore(each, parent.children[place] ?? null);
    });
  };

  // ---- One of all can be reached by Tab; arrows lead from there to the others.
  const stops = () => /** @type {HTMLElement[]} */ (root ? [...root.querySelectorAll(".chat-group, .chat-row")] : []);
  /** @param {HTMLElement} stop */
  const nameOf = (stop) => stop.closest(".chat-item")?.dataset.chat ?? `heading ${stop.closest(".chat-heading")?.dataset.key}`;
  const rove = () => {
    const all = stops();
    const stop = all.find((each) => nameOf(each) === focused) ?? all.find((each) => each.hasAttribute("aria-current")) ?? all[0];
    for (const each of all) {
      const place = each === stop ? 0 : -1;
      if (each.tabIndex !== place) each.tabIndex = place;
    }
  };
  /** @param {KeyboardEvent} event */
  const moveFocus = (event) => {
    const all = stops();
    const here = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: all[here + 1], ArrowUp: all[here - 1], Home: all[0], End: all.at(-1) }[event.key];
    if (!to || here < 0) return false;
    to.focus();
    to.scrollIntoView({ block: "nearest" });
    return true;
  };

  // ---- What the server says.
  /** @param {any} told */
  const take = (told) => {
    if (told.error) return window.pastChats.tell(told.error);
    if (!told.chats || told.character !== list.character) return;
    list = { ...list, ...told };
    limit = Math.max(limit, list.chats.length);
    if (typeof told.chat === "string" && told.chat) shown = { ...shown, chat: told.chat, title: told.title };
    draw();
    tellListeners();
  };
  /** @param {string} revision */
  const ask = async (revision) => {
    const { chat } = shown;
    const told = await server.list_changes({ character: list.character, revision, limit, chat });
    window.changedChat.hear(chat, told, () => ask(list.revision));
    return told;
  };
  /** @param {News} news */
  const hear = async ({ chats }) => {
    heard = chats;
    if (isAsking) return;
    isAsking = true;
    // Asked once for each that comes meanwhile: a list that an event brought may be newer than what was heard.
    for (let last = ""; heard !== last && list.revision && heard !== list.revision;) {
      last = heard;
      const before = shown.chat;
      try {
        const told = await ask(list.revision);
        take(shown.chat === before ? told : { ...told, chat: undefined });
      } catch {
        // The server is away: what tells of that is elsewhere, and there is news when it is back.
      }
    }
    isAsking = false;
  };
  let isLoading = false;
  const loadMore = async () => {
    if (isLoading || found || !list.more) return;
    isLoading = true;
    limit = Math.max(limit, list.chats.length) + STEP;
    try {
      take(await ask(""));
    } finally {
      isLoading = false;
    }
  };
  const atEnd = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && loadMore(), { rootMargin: "400px" });
  const lookForEnd = () => {
    atEnd.disconnect();
    const end = root?.querySelector(".chat-end");
    if (end) atEnd.observe(end);
  };

  window.pastChats = {
    connect(element, functions, triggers, value) {
      [server, acts] = [functions, triggers];
      root = make("nav", { className: "chats", "aria-label": window.text("Chats") });
      element.append(root);
      root.addEventListener("focusin", (event) => {
        const stop = /** @type {HTMLElement} */ (event.target).closest(".chat-group, .chat-row");
        if (!stop) return;
        focused = nameOf(stop);
        rove();
      });
      root.addEventListener("click", (event) => {
        const target = /** @type {HTMLElement} */ (event.target);
        const group = target.closest(".chat-group")?.closest(".chat-heading");
        if (!group) return;
        const key = group.dataset.key ?? "";
        if (!closed.delete(key)) closed.add(key);
        localStorage.setItem("closed-chat-groups", JSON.stringify([...closed]));
        draw();
      });
      this.apply(value());
    },
    apply(value) {
      if (!value) return;
      const { chat, title, temporary, ...rows } = JSON.parse(value);
      const isElsewhere = rows.character !== list.character;
      shown = { chat, title, temporary };
      if (isElsewhere) [limit, found, words] = [0, null, ""];
      // Those that were listed already stay until the rest of the new list is there.
      const isShort = rows.more && limit > rows.chats.length;
      list = { ...rows, chats: isShort ? list.chats : rows.chats, revision: isShort ? "" : rows.revision };
      document.documentElement.toggleAttribute("data-temporary", temporary);
      root?.toggleAttribute("data-is-new", !chat);
      draw();
      tellListeners();
      if (isShort) ask("").then(take);
      if (isListening) return;
      isListening = true;
      window.news.watch(hear);
    },
    connectSearch() {},
    connectMenu() {},
    get shown() { return shown; },
    get list() { return list; },
    get acts() { return acts; },
    get root() { return root; },
    row: (id) => (found ?? list).chats.find((each) => each.id === id) ?? list.chats.find((each) => each.id === id),
    item: (id) => root?.querySelector(`.chat-item[data-chat="${CSS.escape(id)}"]`) ?? null,
    open(chat, options = {}) {
      shown = { chat, title: this.row(chat)?.title ?? "", temporary: false };
      draw();
      acts.open({ chat, ...options });
    },
    async arrange(told) {
      take(await server.arrange_chats({ character: list.character, ...told }));
      if (limit > list.chats.length) take(await ask(""));
    },
    async removeAll() {
      const { count, error } = await server.delete_chats({});
      if (error) return this.tell(error);
      const isMeant = count > 0 && await window.overlay.confirm({
        title: window.text("Delete all {count} chats?", { count }),
        text: window.text("Those of all characters go, too. This cannot be undone. Export them first to keep them."),
        confirm: window.text("Delete {count} chats", { count }), cancel: window.text("Cancel"), isDangerous: true,
      });
      if (!isMeant) return;
      const before = shown;
      shown = { ...shown, chat: "" };
      const answer = await server.delete_chats({ count });
      if (answer.error) {
        shown = before;
        return this.tell(answer.error);
      }
      this.open("");
    },
    async search(looked) {
      const number = ++asked;
      words = looked.trim();
      if (!words) {
        found = null;
        return draw();
      }
      const told = await server.search_chats({ character: list.character, words });
      if (number !== asked) return;
      if (told.error) return this.tell(told.error);
      found = told;
      draw();
    },
    rename() {},
    renameFolder() {},
    searchFor() {},
    remove(id) {
      const isShown = id === shown.chat;
      const next = this.item(id)?.nextElementSibling ?? this.item(id)?.previousElementSibling;
      const hadFocus = Boolean(this.item(id)?.contains(document.activeElement));
      acts.remove({ chat: id }, isShown);
      if (hadFocus) next?.querySelector(".chat-row")?.focus();
    },
    menu() {},
    folderMenu() {},
    moveFocus,
    watch(listener) {
      listeners.push(listener);
      listener(shown);
    },
    isWriting: () => Boolean(list.chats.find((each) => each.id === shown.chat)?.writing),
    tell(message) {
      drawn.delete("note");
      list = { ...list, problem: message };
      draw();
    },
    nameField(name, label, save, close) {
      const field = make("input", { type: "text", className: "chat-name", maxLength: 80, "aria-label": label, value: name, "data-own": "" });
      let isOver = false;
      /** @param {boolean} isKept */
      const end = (isKept) => {
        if (isOver) return;
        isOver = true;
        const given = field.value.trim();
        close();
        if (isKept && given && given !== name) save(given);
      };
      field.addEventListener("blur", () => end(true));
      for (const kind of ["input", "change", "keypress", "keyup", "click", "dblclick", "pointerdown"]) field.addEventListener(kind, (event) => event.stopPropagation());
      field.addEventListener("keydown", (event) => {
        event.stopPropagation();
        if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
        event.preventDefault();
        end(event.key === "Enter");
      });
      return field;
    },
  };
})();
