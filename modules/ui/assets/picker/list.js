// The picker: all models in one list that is searched, chosen from with the keys, and loaded from with one press.
(() => {
  "use strict";
  const GROUPS = /** @type {Record<string, string>} */ ({ loaded: window.text("Loaded"), disk: window.text("On disk"), remote: window.text("Remote") });
  const ABILITIES = /** @type {Record<string, [string, string]>} */ ({
    vision: [window.text("Vision"), window.text("Reads pictures")], audio: [window.text("Audio"), window.text("Reads sounds")],
    tools: [window.text("Tools"), window.text("Calls tools")], thinking: [window.text("Thinking"), window.text("Thinks before it answers")],
  });
  const STATES = /** @type {Record<string, string>} */ ({ loading: window.text("loading"), sleeping: window.text("sleeping"), failed: window.text("could not be loaded") });
  /** @type {OverlayHandle | null} */
  let handle = null;
  /** @type {PickerList | null} */
  let list = null;
  const make = () => window.overlay.element;
  const picker = () => window.modelPicker;

  /** @param {PickerRow} row */
  const fit = (row) => {
    if (row.group === "remote") return row.context ? window.text("{tokens} context", { tokens: picker().tokens(row.context) }) : window.text("on another server");
    if (row.problem) return row.status === "failed" ? STATES.failed : window.text("cannot be loaded");
    if (row.status && STATES[row.status]) return STATES[row.status];
    const context = row.context ? picker().tokens(row.context) : "";
    if (row.group === "loaded") return row.trained && row.context && row.trained > row.context ? window.text("{context} of {most}", { context, most: picker().tokens(row.trained) }) : context;
    return row.lacks ? window.text("too large by {size}", { size: picker().size(row.lacks) }) : [window.text("fits"), context].filter(Boolean).join(" · ");
  };

  /** @param {PickerRow} row */
  const line = (row) => {
    const element = make();
    const badges = row.abilities.map((each) => element("span", { className: "picker-badge", title: ABILITIES[each]?.[1], textContent: ABILITIES[each]?.[0] ?? each }));
    const facts = element("span", { className: "picker-facts" },
      row.quantization && element("span", { textContent: row.quantization }),
      row.size ? element("span", { textContent: picker().size(row.size) }) : null,
      element("span", { className: row.lacks || row.problem ? "picker-lacks" : "", textContent: fit(row) }),
      ...badges);
    const name = element("span", { className: "picker-name" }, element("i", { className: `pill-dot ${row.status ?? row.group}` }), row.title);
    const option = element("button", {
      type: "button", className: "picker-row", role: "option", title: row.problem || row.name, "data-name": row.name,
      "aria-selected": row.name === picker().state?.name ? "true" : "false",
    }, name, facts);
    option.addEventListener("click", () => take(row));
    return element("div", { className: "picker-line", role: "presentation" }, option,
      row.group === "loaded" && tool(window.text("Unload"), "power-off", () => unload(row)),
      row.group !== "remote" && tool(window.text("Load settings"), "settings", () => picker().settings(row.name)));
  };

  /** @param {string} label @param {string} icon @param {() => void} press */
  const tool = (label, icon, press) => {
    const button = make()("button", { type: "button", className: "picker-tool", title: label, "aria-label": label });
    button.append(make()("i", { className: `icon icon-${icon}` }));
    button.addEventListener("click", press);
    return button;
  };

  /** @param {PickerRow} row */
  const take = async (row) => {
    handle?.close();
    await picker().choose(row.name);
  };

  /** @param {PickerRow} row */
  const unload = async (row) => {
    const server = picker().server;
    if (!server) return;
    let answer = await server.model_unload({ name: row.name });
    if (answer.uses) {
      const decision = await picker().decide(answer.uses, "unload");
      if (!decision) return;
      answer = await server.model_unload({ name: row.name, decision });
    }
    if (answer.error) handle?.fail(answer.error);
    await picker().look();
    await fill();
  };

  /** @param {string} title @param {PickerRow[]} rows */
  const group = (title, rows) =>
    make()("div", { role: "group", "aria-label": title }, make()("div", { className: "picker-group", textContent: title }), ...rows.map(line));

  /** @param {PickerList} told @param {string} words */
  const groups = (told, words) => {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = told.rows.filter((row) => wanted.every((word) => `${row.name} ${row.quantization} ${row.abilities.join(" ")}`.toLowerCase().includes(word)));
    const found = Object.entries(GROUPS).map(([name, title]) => ({ title, rows: rows.filter((row) => row.group === name) }));
    const isLoaded = (/** @type {string} */ name) => rows.some((row) => row.name === name && row.group === "loaded");
    const recent = wanted.length ? [] : told.recent.filter((name) => !isLoaded(name)).slice(0, 3);
    const used = /** @type {PickerRow[]} */ (recent.map((name) => rows.find((row) => row.name === name)).filter(Boolean));
    // With a handful of models the list says it all.
    if (used.length && told.rows.length > 6) found.splice(1, 0, { title: window.text("Recently used"), rows: used });
    return found.filter((each) => each.rows.length);
  };

  /** @param {PickerList} told */
  const offers = (told) => {
    const element = make();
    const buttons = told.suggested.map((each) => {
      const button = element("button", { type: "button", className: "picker-row" },
        element("span", { className: "picker-name", textContent: each.title }),
        element("span", { className: "picker-facts" }, element("span", { textContent: `${each.gib} GB` }), element("span", { textContent: window.text("Download") })));
      button.addEventListener("click", () => download(each.source));
      return element("div", { className: "picker-line" }, button);
    });
    return element("div", { className: "picker-empty" },
      element("p", { textContent: window.text("There is no model on this machine yet.") }),
      buttons.length ? element("div", { className: "picker-group", textContent: window.text("Download one that fits") }) : null, ...buttons);
  };

  /** The section is built when it is shown first. @param {(field: HTMLTextAreaElement | HTMLInputElement) => void} act @param {number} tries */
  const withField = (act, tries = 40) => {
    const field = document.querySelector("#download-name textarea") ?? document.querySelector("#download-name input");
    if (field) act(field);
    else if (tries) setTimeout(() => withField(act, tries - 1), 50);
  };
  const toDownloads = () => {
    handle?.close();
    window.sections.show("download-tab");
    withField((field) => field.focus());
  };
  /** Only what its user presses starts a download, in the section that shows how far it is. @param {string} source */
  const download = (source) => {
    toDownloads();
    withField((field) => {
      field.value = source;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      setTimeout(() => document.getElementById("download-model")?.click(), 300);
    });
  };

  const fill = async () => {
    const told = await picker().server?.model_list("");
    if (!told || !handle) return;
    list = told;
    draw();
  };
  const draw = () => {
    const box = handle?.body.querySelector(".picker-list");
    if (!box || !list) return;
    const words = handle?.body.querySelector(".picker-search input")?.value ?? "";
    const found = groups(list, words).map((each) => group(each.title, each.rows));
    const silent = list.silent.map((name) => make()("p", { className: "picker-note", textContent: window.text("{name} does not answer.", { name }) }));
    const nothing = list.rows.length ? make()("p", { className: "picker-note", textContent: window.text("No model has these words in its name.") }) : offers(list);
    box.replaceChildren(...(found.length ? found : [nothing]), ...silent);
    const room = handle?.body.querySelector(".picker-room");
    if (room) room.textContent = window.text("{free} of {total} free", { free: picker().size(list.room.free), total: picker().size(list.room.total) });
  };

  const rows = () => /** @type {HTMLElement[]} */ ([...(handle?.body.querySelectorAll(".picker-row") ?? [])]);
  /** @param {KeyboardEvent} event */
  const move = (event) => {
    const all = rows();
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const isSearching = Boolean(/** @type {Element} */ (event.target).closest(".picker-search"));
    if (event.key === "Enter" && isSearching) all[0]?.click();
    else if (event.key === "ArrowDown") all[Math.min(at + 1, all.length - 1)]?.focus();
    else if (event.key === "ArrowUp") at > 0 ? all[at - 1].focus() : handle?.body.querySelector(".picker-search input")?.focus();
    else return;
    event.preventDefault();
  };

  /** @param {string} search */
  const content = (search) => {
    const element = make();
    const input = element("input", { type: "search", value: search, placeholder: window.text("Search models"), "aria-label": window.text("Search models"), autocomplete: "off" });
    input.addEventListener("input", draw);
    const close = element("button", { type: "button", className: "overlay-close", title: window.text("Close (Esc)"), "aria-label": window.text("Close"), textContent: "✕" });
    close.addEventListener("click", () => handle?.close());
    const more = element("button", { type: "button", className: "picker-more" }, element("i", { className: "icon icon-download" }), window.text("Download more…"));
    more.addEventListener("click", toDownloads);
    const body = element("div", { className: "picker" },
      element("div", { className: "picker-search" }, element("i", { className: "icon icon-search" }), input, close),
      element("div", { className: "picker-list", role: "listbox", "aria-label": window.text("Models") }, element("p", { className: "picker-note", textContent: window.text("Reading the model folder…") })),
      element("div", { className: "picker-foot" }, more, element("span", { className: "picker-room" })));
    body.addEventListener("keydown", move);
    return body;
  };

  Object.assign((window.modelPicker ??= /** @type {ModelPicker} */ ({})), {
    open(search = "") {
      if (!picker().server || picker().state?.mayChoose === false) return;
      handle?.close();
      list = null;
      handle = window.overlay.open({
        title: window.text("Choose a model"), kind: "palette", className: "model-picker", content: content(search),
        focus: ".picker-search input", onClose: () => { handle = null; },
      });
      const failure = picker().state?.failure;
      if (failure) handle.fail(window.text("{name} could not be loaded: {message}", { name: failure.title, message: failure.message }));
      fill();
    },
  });
})();
