// Grids of characters and of personas: pictures, search, tags; a press on one chooses it, the menu offers the rest.
(() => {
  "use strict";
  const MOST_TAGS = 12;
  // From when on the grid is in view.
  const LONGEST_MS = 10_000;
  const make = window.overlay.element;

  /** Keys move among the tiles as they stand: the first part of each is a stop of its own, too.
   * @param {KeyboardEvent} event */
  const move = (event) => {
    const list = event.currentTarget;
    if (!(list instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".talk:not(:disabled)")]);
    const at = all.findIndex((each) => each.parentElement?.contains(document.activeElement));
    if (at < 0) return;
    const columns = Math.max(1, getComputedStyle(list).gridTemplateColumns.split(" ").length);
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -at, End: all.length - 1 - at };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    all[Math.min(all.length - 1, Math.max(0, at + step))]?.focus();
  };

  /** @param {CardGridOptions} options @returns {CardGrid} */
  window.cardGrid = (options) => {
    /** @type {{ host: HTMLElement, send: Send, value: () => string } | null} */
    let grid = null;
    let last = "";
    const wanted = { text: "", tag: "" };
    let isGivenUp = false;

    /** @returns {GridCard[]} */
    const cards = () => {
      try {
        return JSON.parse(grid?.value() || "[]");
      } catch {
        return [];
      }
    };
    /** @param {GridCard} card */
    const isWanted = (card) => {
      const words = [card.name, card.file, card.text, ...card.tags].join("\n").toLowerCase();
      return words.includes(wanted.text.toLowerCase()) && (!wanted.tag || card.tags.includes(wanted.tag));
    };
    /** @param {string} act @param {GridCard} card @param {object} more */
    const send = (act, card, more = {}) => {
      last = act;
      grid?.send({ act, file: card.file, ...more });
    };
    /** @param {GridCard} card */
    const acts = (card) => options.acts(card, (act, more = {}) => () => send(act, card, more));

    /** @param {GridCard} card */
    const tile = (card) => {
      const picture = card.picture
        ? make("img", { src: card.picture, alt: "", loading: "lazy" })
        : make("span", { className: "letter", textContent: card.name.slice(0, 1).toUpperCase(), "aria-hidden": "true" });
      const talk = make(
        "button",
        { type: "button", className: "talk", title: card.broken ? card.text : options.title(card), disabled: card.broken },
        picture,
        make("span", { className: "name", textContent: card.name }),
        make("span", { className: "text", textContent: card.text }),
      );
      if (card.chosen !== undefined) talk.setAttribute("aria-pressed", String(card.chosen));
      talk.addEventListener("click", () => options.press(card, (act) => send(act, card)));
      const more = make("button", { type: "button", className: "more", textContent: "⋯", "aria-label": window.text("More for {name}", { name: card.name }) });
      more.addEventListener("click", () => window.overlay.menu(more, acts(card), { label: card.name }));
      const made = make("li", { className: "tile" }, talk, more);
      made.addEventListener("contextmenu", (event) => {
        event.preventDefault();
        window.overlay.menu({ x: event.clientX, y: event.clientY }, acts(card), { label: card.name });
      });
      return made;
    };

    /** @param {GridCard[]} all */
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
      if (none) none.textContent = shown.length ? "" : cards().length ? options.noneFound() : options.none();
    };
    /** @param {boolean} isAwaited */
    const setAwaited = (isAwaited) => {
      const part = document.getElementById(options.part);
      part?.toggleAttribute("data-awaited", isAwaited);
      // Where selectors look for what an element holds, browsers look through the page at each word of a reply.
      for (let each = grid?.host; each && each !== part; each = each.parentElement ?? undefined) each.dataset.holdsGrid = "";
    };
    const draw = () => {
      if (!grid) return;
      // What is below comes into view with the tiles, not before it is moved by them.
      setAwaited(!grid.value() && !isGivenUp);
      const search = make("input", {
        type: "search", placeholder: options.search(), "aria-label": options.search(), value: wanted.text,
      });
      search.addEventListener("input", () => {
        wanted.text = search.value;
        fill();
      });
      const list = make("ul", { "aria-label": options.label() });
      list.addEventListener("keydown", move);
      grid.host.replaceChildren(
        make("div", { className: "bar" }, search, tagRow(cards())),
        list,
        make("p", { className: "nothing", role: "status" }),
        make("p", { className: "hint", textContent: options.hint() }),
      );
      fill();
    };

    return {
      connect(element, trigger, value) {
        grid = { host: element.querySelector(".character-grid") ?? element, send: trigger, value };
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
      /** The answer to what was asked for is there. */
      after: () => options.after(last),
    };
  };
})();
