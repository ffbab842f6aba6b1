// The grid of characters: pictures, search, tags; a press begins a chat, the menu offers the rest.
(() => {
  "use strict";
  /** @typedef {{ file: string, name: string, text: string, tags: string[], picture: string, broken: boolean }} Card */
  /** @type {{ host: HTMLElement, send: Send, value: () => string } | null} */
  let grid = null;
  let last = "";
  const wanted = { text: "", tag: "" };
  const MOST_TAGS = 12;
  // From when on the grid is in view.
  const LONGEST_MS = 10_000;
  let isGivenUp = false;
  const make = window.overlay.element;

  /** @returns {Card[]} */
  const cards = () => {
    try {
      return JSON.parse(grid?.value() || "[]");
    } catch {
      return [];
    }
  };

  /** @param {Card} card */
  const isWanted = (card) => {
    const words = [card.name, card.file, card.text, ...card.tags].join("\n").toLowerCase();
    return words.includes(wanted.text.toLowerCase()) && (!wanted.tag || card.tags.includes(wanted.tag));
  };

  /** @param {Card} card */
  const acts = (card) => {
    /** @param {string} name */
    const act = (name, more = {}) => () => {
      last = name;
      grid?.send({ act: name, file: card.file, ...more });
    };
    return [
      { label: window.text("Talk"), act: () => window.talkTo(card.file), disabled: card.broken },
      { label: window.text("Edit"), act: act("edit"), disabled: card.broken },
      { label: window.text("Duplicate"), act: act("duplicate"), disabled: card.broken },
      { separator: true },
      { label: window.text("Export as card (PNG)"), act: act("export", { form: "png" }), disabled: card.broken || !card.picture },
      { label: window.text("Export as card (JSON)"), act: act("export", { form: "json" }), disabled: card.broken },
      { label: window.text("Export as YAML"), act: act("export", { form: "yaml" }), disabled: card.broken },
      { separator: true },
      { label: window.text("Delete"), isDangerous: true, act: act("delete"), disabled: card.broken },
    ];
  };

  /** @param {Card} card */
  const tile = (card) => {
    const picture = card.picture
      ? make("img", { src: card.picture, alt: "", loading: "lazy" })
      : make("span", { className: "letter", textContent: card.name.slice(0, 1).toUpperCase(), "aria-hidden": "true" });
    const talk = make(
      "button",
      { type: "button", className: "talk", title: card.broken ? card.text : window.text("Talk to {name}", { name: card.name }), disabled: card.broken },
      picture,
      make("span", { className: "name", textContent: card.name }),
      make("span", { className: "text", textContent: card.text }),
    );
    talk.addEventListener("click", () => window.talkTo(card.file));
    const more = make("button", { type: "button", className: "more", textContent: "⋯", "aria-label": window.text("More for {name}", { name: card.name }) });
    more.addEventListener("click", () => window.overlay.menu(more, acts(card), { label: card.name }));
    const made = make("li", { className: "tile" }, talk, more);
    made.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      window.overlay.menu({ x: event.clientX, y: event.clientY }, acts(card), { label: card.name });
    });
    return made;
  };

  /** @param {Card[]} all */
  const tagRow = (all) => {
    const counts = new Map();
    for (const tag of all.flatMap((card) => card.tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
    const tags = [...counts].sort((one, other) => other[1] - one[1]).slice(0, MOST_TAGS).map(([tag]) => tag);
    return make("div", { className: "tags" }, ...tags.map((tag) => {
      const made = make("button", { type: "button", textContent: tag, "aria-pressed": String(wanted.tag === tag) });
      made.addEventListener("click", () => {
        wanted.tag = wanted.tag === tag ? "" : tag;
        draw();
      });
      return made;
    }));
  };

  const fill = () => {
    const shown = cards().filter(isWanted);
    const list = grid?.host.querySelector("ul");
    if (!list) return;
    list.replaceChildren(...shown.map(tile));
    const none = grid?.host.querySelector(".nothing");
    if (none) none.textContent = shown.length ? "" : window.text(cards().length ? "No character is called so, or has that tag." : "There are no characters yet.");
  };

  /** @param {boolean} isAwaited */
  const setAwaited = (isAwaited) => {
    const part = document.getElementById("characters-part");
    part?.toggleAttribute("data-awaited", isAwaited);
    // Where selectors look for what an element holds, browsers look through the page at each word of a reply.
    for (let each = grid?.host; each && each !== part; each = each.parentElement ?? undefined) each.dataset.holdsGrid = "";
  };

  const draw = () => {
    if (!grid) return;
    // What is below comes into view with the characters, not before it is moved by them.
    setAwaited(!grid.value() && !isGivenUp);
    const search = make("input", {
      type: "search", placeholder: window.text("Search characters"), "aria-label": window.text("Search characters"), value: wanted.text,
    });
    search.addEventListener("input", () => {
      wanted.text = search.value;
      fill();
    });
    const hint = make("p", { className: "hint", textContent: window.text("Drop a card (PNG, JSON, CharX) anywhere on the page to import it.") });
    grid.host.replaceChildren(
      make("div", { className: "bar" }, search, tagRow(cards())),
      make("ul", { "aria-label": window.text("Characters") }),
      make("p", { className: "nothing", role: "status" }),
      hint,
    );
    fill();
  };

  window.characterGrid = {
    connect(element, send, value) {
      grid = { host: element.querySelector(".character-grid") ?? element, send, value };
      draw();
      const { host } = grid;
      const seen = new IntersectionObserver((entries) => {
        if (!entries.some((each) => each.isIntersecting)) return;
        seen.disconnect();
        setTimeout(() => {
          isGivenUp = true;
          setAwaited(false);
        }, LONGEST_MS);
      });
      seen.observe(host);
    },
    draw,
    /** The chat with who was chosen. */
    begin() {
      window.sections.show("chat-tab");
      const button = document.getElementById("new-chat");
      (button?.matches("button") ? button : button?.querySelector("button"))?.click();
    },
    /** The answer to what the menu was asked for is there. */
    after() {
      if (last === "export") window.fetchFile("character-download");
      /** @type {Record<string, string>} */
      const places = { edit: "character-name", duplicate: "character-name", delete: "character-undo" };
      const place = places[last];
      if (place) document.getElementById(place)?.scrollIntoView({ block: "center", behavior: "smooth" });
    },
  };
})();
