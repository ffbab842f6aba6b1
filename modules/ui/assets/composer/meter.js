// How full the context is, how fast the reply comes, and the files beside a message by name and size.
(() => {
  "use strict";
  const PAUSE = 700;
  /** @typedef {{ name: string, kind: string, tokens?: number, problem?: string }} ToldFile */
  /** @typedef {{ context?: number, used?: number, parts?: Record<string, number>, files?: ToldFile[], live?: string, rows?: unknown }} Told */
  /** @type {Told} */
  let told = {};
  /** @type {Send} */
  let ask = () => {};
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag @param {Record<string, unknown>} properties @param {(Node | string | null | undefined | false)[]} children
   * @returns {HTMLElementTagNameMap[Tag]} */
  const element = (tag, properties, ...children) => window.overlay.element(tag, properties, ...children);
  /** @param {string} name */
  const icon = (name) => element("span", { className: `icon icon-${name}`, "aria-hidden": "true" });
  /** @param {number} value */
  const number = (value) => Math.round(value).toLocaleString("en-US");
  /** @param {number} value */
  const short = (value) => (value >= 1024 ? `${Math.round(value / 1024)}k` : number(value));
  /** @param {string} id @param {() => HTMLElement | null} make @param {(made: HTMLElement) => void} place */
  const put = (id, make, place) => {
    document.getElementById(id)?.remove();
    const made = make();
    if (!made) return;
    made.id = id;
    place(made);
  };
  /** @param {number} context @param {number} used */
  const share = (context, used) => Math.min(999, Math.round((100 * used) / context));
  /** @param {number} context @param {number} used */
  const details = (context, used) => {
    const rows = Object.entries({ ...told.parts, [window.text("Room for the reply")]: Math.max(0, context - used) });
    const table = element("table", { className: "context-parts" }, ...rows.map(([name, tokens]) =>
      element("tr", {}, element("th", { scope: "row", textContent: window.text(name) }), element("td", { textContent: `${number(tokens)} tok` }))));
    window.overlay.open({
      title: window.text("Context: {used} of {context} tokens", { used: number(used), context: number(context) }), size: "small",
      content: table, actions: [{ label: window.text("Close"), kind: "primary" }],
    });
  };
  const gauge = () => {
    const { context = 0, used = 0 } = told;
    if (!context) return null;
    const label = `${share(context, used)} % of ${short(context)}`;
    const made = element("button", { type: "button", title: window.text("Context that the next request uses") }, icon("gauge"), label);
    made.setAttribute("aria-label", window.text("Context used: {share}", { share: label }));
    made.classList.toggle("is-full", share(context, used) >= 90);
    made.addEventListener("click", () => details(context, used));
    return made;
  };
  /** @param {number} index */
  const remove = (index) => {
    document.querySelectorAll("#box .thumbnail-item")[index]?.querySelector("button")?.click();
    document.querySelector("#box textarea")?.focus();
    askSoon();
  };
  /** @param {ToldFile} file @param {number} index */
  const chip = (file, index) => {
    const size = file.problem ? "" : file.tokens ? `${number(file.tokens)} tok` : "";
    const close = element("button", { type: "button", title: window.text("Remove {name}", { name: file.name }) }, icon("x"));
    close.setAttribute("aria-label", close.title);
    close.addEventListener("click", () => remove(index));
    const made = element("li", { className: file.problem ? "is-failure" : "" }, icon(file.kind),
      element("span", { className: "file-name", textContent: file.name, title: file.name }),
      size && element("small", { textContent: size }), close);
    if (file.problem) made.append(element("p", { role: "alert", textContent: file.problem }));
    return made;
  };
  const files = () => (told.files?.length ? element("ol", { className: "file-chips" }, ...told.files.map(chip)) : null);
  const show = () => {
    put("gauge", gauge, (made) => document.querySelector("#chat-actions")?.append(made));
    put("files", files, (made) => document.querySelector("#box")?.before(made));
    put("live-pace", () => (told.live ? element("div", { textContent: told.live }) : null),
      (made) => document.querySelector("#live")?.after(made));
  };
  const askSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { if (!document.querySelector("#box .stop-button")) ask({ act: "count" }); }, PAUSE);
  };
  window.composerMeter = {
    connect(trigger, value) {
      ask = trigger;
      this.apply(value());
      askSoon();
    },
    apply(value) {
      try {
        told = { ...told, ...JSON.parse(value || "{}") };
      } catch {
        return;
      }
      if (!told.live && "rows" in told) {
        delete told.rows;
        askSoon();
      }
      show();
    },
  };
  document.addEventListener("input", (event) => {
    if (event.target instanceof Element && event.target.matches("#box textarea")) askSoon();
  });
  const watch = () => {
    const box = document.getElementById("box");
    if (!box) return void setTimeout(watch, 100);
    let count = 0;
    new MutationObserver(() => {
      const now = box.querySelectorAll(".thumbnail-item").length;
      if (now === count) return;
      count = now;
      if (!now) delete told.files;
      show();
      askSoon();
    }).observe(box, { childList: true, subtree: true });
  };
  watch();
})();
