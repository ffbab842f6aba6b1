// The header's pill: it asks the server for the model's state when there is news of it, and opens the picker.
(() => {
  "use strict";
  const BETWEEN = 500;
  const BUSY = 250;
  const STATES = /** @type {Record<string, string>} */ ({
    loaded: window.text("loaded"), loading: window.text("loading"), sleeping: window.text("sleeping until the next message"),
    failed: window.text("not running"), none: window.text("no model is loaded"), remote: window.text("on another server"),
  });
  /** @type {PickerParts | null} */
  let parts = null;
  /** @type {PickerState | null} */
  let told = null;
  let shown = "";
  let wantsFailure = false;

  /** @param {string} text */
  const escaped = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
  /** @param {number} bytes */
  const size = (bytes) => {
    const gigabytes = bytes / 2 ** 30;
    return gigabytes >= 1 ? `${gigabytes.toFixed(1)} GB` : `${Math.round(bytes / 2 ** 20)} MB`;
  };
  /** @param {number} count */
  const tokens = (count) => (count >= 1024 ? `${Math.round(count / 1024)}k` : String(count));

  /** @param {PickerState} state */
  const detail = (state) => {
    if (state.waiting) return state.waiting.uses === 1 ? window.text("waits for 1 reply") : window.text("waits for {count} replies", { count: state.waiting.uses });
    if (state.status === "loading") return `${Math.round((state.progress ?? 0) * 100)} %`;
    return [state.quantization, state.context ? tokens(state.context) : ""].filter(Boolean).join(" · ");
  };
  /** @param {string} value @returns {PickerState | null} */
  const read = (value) => {
    try {
      return JSON.parse(value || "null");
    } catch {
      return null;
    }
  };
  /** @param {string} value */
  const pill = (value) => {
    const state = read(value);
    if (!state) return "";
    const name = state.title || window.text("Choose a model");
    // The name that is spoken begins with what is seen, by which a user of voice control calls it.
    const words = `${[name, detail(state)].filter(Boolean).join(" ")}, ${STATES[state.status] ?? state.status}`;
    const label = state.mayChoose ? `${words}. ${window.text("Choose a model")}` : words;
    const more = state.failure ? window.text("{name} could not be loaded: {message}", { name: state.failure.title, message: state.failure.message }) : (state.message ?? "");
    return `<button type="button" class="pill ${state.status === "none" ? "is-empty" : ""}" ${state.mayChoose ? 'aria-haspopup="dialog"' : "disabled"} `
      + `title="${escaped([state.name || label, more].filter(Boolean).join(": "))}" aria-label="${escaped(label)}">`
      + `<i class="pill-dot ${state.failure ? "failed" : state.waiting ? "loading" : state.status}" style="--part: ${state.progress ?? 0}"></i>`
      + `<span class="pill-name">${escaped(name)}</span> <span class="pill-detail">${escaped(detail(state))}</span>`
      + `${state.mayChoose ? '<i class="icon icon-chevron-down"></i>' : ""}</button>`
      + `${state.waiting ? `<button type="button" class="pill-stop" title="${escaped(window.text("Do not load it"))}">${escaped(window.text("Cancel"))}</button>` : ""}`;
  };

  /** The model of the chat that is shown. */
  const chosen = () => {
    const place = document.querySelector("#place textarea") ?? document.querySelector("#place input");
    const found = read(place?.value ?? "");
    return /** @type {{ model?: string } | null} */ (found)?.model ?? "";
  };
  /** @param {PickerState} state */
  const take = (state) => {
    const json = JSON.stringify(state);
    const before = told;
    told = state;
    if (json !== shown) {
      shown = json;
      parts?.show(json);
      document.documentElement.dataset.modelReads = (state.reads ?? []).join(" ");
      document.dispatchEvent(new CustomEvent("modelstate", { detail: state }));
    }
    if (before && (before.name !== state.name || before.status !== state.status || before.context !== state.context)) parts?.changed();
    if (wantsFailure && state.failure) {
      wantsFailure = false;
      window.modelPicker.open();
    } else if (state.status === "loaded" && !state.waiting) wantsFailure = false;
  };
  const look = async () => {
    if (!parts) return;
    try {
      take(await parts.server.model_state(chosen()));
    } catch {
      // The server is away: what tells of that is elsewhere, and the next look is soon.
    }
  };
  let isMissed = true;
  let lookedFor = "";
  const isBusy = () => told?.status === "loading" || Boolean(told?.waiting) || wantsFailure;
  // A field of Gradio's says which model is chosen, and nobody hears when it does.
  const goOn = async () => {
    if (!document.hidden && (isMissed || isBusy() || chosen() !== lookedFor)) {
      [isMissed, lookedFor] = [false, chosen()];
      await look();
    }
    setTimeout(goOn, isBusy() ? BUSY : BETWEEN);
  };
  const lookSoon = () => { isMissed = true; };

  /** @param {number} uses @param {"load" | "unload"} [act] @returns {Promise<"wait" | "stop" | null>} */
  const decide = async (uses, act = "load") => {
    const one = act === "load" ? window.text("The model can be changed when it has ended, or now. What was written so far is kept.")
      : window.text("The model can leave when it has ended, or now. What was written so far is kept.");
    const several = act === "load" ? window.text("The model can be changed when they have ended, or now. What was written so far is kept.")
      : window.text("The model can leave when they have ended, or now. What was written so far is kept.");
    const handle = window.overlay.open({
      title: uses === 1 ? window.text("1 reply is being written") : window.text("{count} replies are being written", { count: uses }),
      size: "small", className: "question", content: uses === 1 ? one : several,
      actions: [{ label: window.text("Wait"), value: "wait", kind: "primary" }, { label: act === "load" ? window.text("Stop and load") : window.text("Stop and unload"), value: "stop", kind: "danger" }],
    });
    const answer = await handle.closed;
    return answer === "wait" || answer === "stop" ? answer : null;
  };
  /** @param {PickerLoad} load */
  const begin = async (load) => {
    if (!parts) return false;
    let answer = await parts.server.model_load(load);
    if (answer.uses) {
      const decision = await decide(answer.uses);
      if (!decision) return false;
      answer = await parts.server.model_load({ ...load, decision });
    }
    if (answer.error) {
      if (!window.overlay.top) window.modelPicker.open();
      window.overlay.top?.fail(answer.error);
      return false;
    }
    wantsFailure = true;
    parts.choose(load.name);
    await look();
    document.querySelector("#box textarea")?.focus();
    return true;
  };
  /** @param {string} name */
  const choose = async (name) => {
    if (!parts) return;
    const list = await parts.server.model_list("");
    const row = list.rows.find((each) => each.name === name);
    const isThere = row && (row.group === "remote" || row.status === "loaded" || row.status === "loading");
    if (!isThere) {
      await begin({ name });
      return;
    }
    parts.choose(name);
    setTimeout(look, 200);
    document.querySelector("#box textarea")?.focus();
  };

  Object.assign((window.modelPicker ??= /** @type {ModelPicker} */ ({})), {
    pill, size, tokens, look, decide, choose, load: begin,
    /** @param {PickerParts} made */
    connect(made) {
      parts = made;
      setTimeout(goOn, BUSY);
      window.news.watch(lookSoon);
    },
  });
  Object.defineProperties(window.modelPicker, { state: { get: () => told }, server: { get: () => parts?.server ?? null } });

  document.addEventListener("click", async (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest?.("#model-pill .pill-stop")) {
      wantsFailure = false;
      await parts?.server.model_give_up("");
      await look();
    } else if (target.closest?.("#model-pill .pill, [data-opens=models]")) window.modelPicker.open();
  });
})();
