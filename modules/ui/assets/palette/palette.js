// The command palette: what is typed is looked for among chats, sections, acts, models, presets, prompts and settings.
(() => {
  "use strict";
  const { element } = window.overlay;
  const MOST = 8;
  const MOST_RECENT = 30;
  const PAUSE = 120;
  const RECENT = "palette-recent";
  const NOTHING = { models: [], presets: [], prompts: [], problems: [] };
  /** @type {PaletteSource[]} */
  const sources = [];
  /** @type {PaletteServer | null} */
  let server = null;
  /** @type {(act: Record<string, unknown>) => void} */
  let send = () => {};

  /** @returns {string[]} */
  const recent = () => {
    try {
      const kept = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
      return Array.isArray(kept) ? kept.map(String) : [];
    } catch {
      return [];
    }
  };
  /** @param {string} key */
  const use = (key) => {
    localStorage.setItem(RECENT, JSON.stringify([key, ...recent().filter((each) => each !== key)].slice(0, MOST_RECENT)));
  };
  /** @param {PaletteSource} source @param {PaletteEntry} entry */
  const keyOf = (source, entry) => `${source.id}:${entry.id}`;

  /** @typedef {{ source: PaletteSource, entry: PaletteEntry, score: number }} Hit */
  /** What was used lately goes above what fits as well.
   * @param {PaletteSource} source @param {PaletteEntry[]} entries @param {string} typed @returns {Hit[]} */
  const ranked = (source, entries, typed) => {
    const used = recent();
    return entries
      .map((entry) => {
        const fit = Math.max(window.fuzzy.score(entry.label, typed), window.fuzzy.score(`${entry.label} ${entry.words ?? ""}`, typed) / 2);
        const place = used.indexOf(keyOf(source, entry));
        return { source, entry, score: fit > 0 ? fit + (place < 0 ? 0 : 10 - place / MOST_RECENT) : 0 };
      })
      .filter((hit) => hit.score > 0)
      .sort((one, other) => other.score - one.score);
  };
  /** @param {PaletteSource} source @param {string} typed @returns {Promise<Hit[]>} */
  const hitsOf = async (source, typed) => {
    try {
      const own = ranked(source, (await source.entries?.()) ?? [], typed);
      const found = (await source.search?.(typed)) ?? [];
      return [...own, ...found.map((entry) => ({ source, entry, score: 1 }))];
    } catch {
      // A server that does not answer leaves what the page knows itself.
      return [];
    }
  };
  /** The groups, best first; nothing typed: what was used lately, then a few of each.
   * @param {Hit[][]} all @param {string} typed @returns {[string, Hit[]][]} */
  const grouped = (all, typed) => {
    const used = recent();
    const place = (/** @type {Hit} */ hit) => used.indexOf(keyOf(hit.source, hit.entry));
    if (typed) {
      return all
        .filter((hits) => hits.length)
        .sort((one, other) => other[0].score - one[0].score)
        .map((hits) => [hits[0].source.title, hits.slice(0, MOST)]);
    }
    const lately = all.flat().filter((hit) => place(hit) >= 0).sort((one, other) => place(one) - place(other)).slice(0, MOST);
    const rest = all.map((hits) => hits.filter((hit) => !lately.includes(hit)).slice(0, MOST)).filter((hits) => hits.length);
    return [...(lately.length ? [/** @type {[string, Hit[]]} */ (["Recently used", lately])] : []),
      ...rest.map((hits) => /** @type {[string, Hit[]]} */ ([hits[0].source.title, hits]))];
  };

  /** @param {string} [typed] @param {PaletteOptions} [options] */
  const open = (typed = "", options = {}) => {
    const title = options.title ?? window.text("Search and commands");
    const places = options.sources ?? sources;
    const field = element("input", {
      type: "search", className: "palette-field", value: typed, placeholder: options.title ?? window.text("Search chats, settings and commands"),
      role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-label": title,
      autocomplete: "off", spellcheck: false,
    });
    const list = element("div", { id: "palette-list", role: "listbox", "aria-label": window.text("Results") });
    const status = element("p", { className: "palette-none", role: "status" });
    const handle = window.overlay.open({ title, kind: "palette", content: (body) => body.append(field, list, status) });
    /** @type {Hit[]} */
    let shown = [];
    let at = 0;
    let asked = 0;
    // The words that what is shown was found for, and whether Enter was pressed before it was.
    let answered = 0;
    let isEntered = false;
    const mark = () => {
      list.querySelectorAll("[role=option]").forEach((row, index) => row.setAttribute("aria-selected", String(index === at)));
      const row = list.querySelectorAll("[role=option]")[at];
      field.setAttribute("aria-activedescendant", row?.id ?? "");
      row?.scrollIntoView({ block: "nearest" });
    };
    /** @param {Hit} hit */
    const choose = (hit) => {
      use(keyOf(hit.source, hit.entry));
      handle.close();
      hit.entry.act();
    };
    /** @param {Hit} hit @param {number} index */
    const rowOf = (hit, index) => {
      const row = element("div", { id: `palette-${index}`, role: "option", className: "palette-row" },
        element("span", { className: "palette-label" }, hit.entry.label, hit.entry.detail && element("small", {}, hit.entry.detail)),
        hit.entry.keys && element("kbd", {}, hit.entry.keys));
      row.addEventListener("click", () => choose(hit));
      row.addEventListener("pointermove", () => {
        if (at !== index) {
          at = index;
          mark();
        }
      });
      return row;
    };
    const draw = async () => {
      const mine = ++asked;
      isEntered = false;
      const words = field.value.trim();
      const hits = places.map((source) => hitsOf(source, words));
      /** What the page knows is there at once; what the server finds comes when it comes.
       * @param {Hit[][]} all @param {boolean} isWhole */
      const show = (all, isWhole) => {
        if (mine !== asked || !handle.dialog.open) return;
        const groups = grouped(all, words);
        shown = groups.flatMap(([, each]) => each);
        at = 0;
        let index = 0;
        list.replaceChildren(...groups.map(([name, each], number) => {
          const heading = element("div", { className: "overlay-heading", id: `palette-group-${number}` }, window.text(name));
          return element("div", { role: "group", "aria-labelledby": heading.id }, heading, ...each.map((hit) => rowOf(hit, index++)));
        }));
        status.textContent = isWhole && !shown.length ? window.text("Nothing found.") : "";
        mark();
        answered = mine;
        if (isEntered && (shown.length || isWhole)) {
          isEntered = false;
          if (shown[at]) choose(shown[at]);
        }
      };
      /** @type {Hit[][]} */
      const quick = places.map(() => []);
      await Promise.race([Promise.all(hits.map(async (each, index) => { quick[index] = await each; })), new Promise((done) => setTimeout(done, PAUSE))]);
      show(quick, false);
      show(await Promise.all(hits), true);
    };
    field.addEventListener("input", draw);
    field.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      const steps = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, PageDown: MOST, PageUp: -MOST });
      if (event.key === "Enter" && answered === asked && shown[at]) choose(shown[at]);
      else if (event.key === "Enter") isEntered = true;
      // A browser would only empty a field for searching.
      else if (event.key === "Escape") handle.close();
      else if (event.key in steps && shown.length) {
        const single = Math.abs(steps[event.key]) === 1;
        at = single ? (at + steps[event.key] + shown.length) % shown.length : Math.max(0, Math.min(shown.length - 1, at + steps[event.key]));
        mark();
      } else return;
      event.preventDefault();
    });
    field.select();
    draw();
  };

  window.palette = {
    open,
    add(source) { sources.push(source); },
    connect(connected, trigger) {
      server = connected;
      send = trigger;
    },
    async things() {
      return (await server?.things()) ?? NOTHING;
    },
    send(act) { send(act); },
    get server() { return server; },
  };
  window.keys.acts.palette = () => open();
})();
