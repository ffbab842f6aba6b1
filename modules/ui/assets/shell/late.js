// An answer that comes late leaves alone what was entered after it was asked for. Gradio shows whatever an event brings,
// so its answers are looked through on their way: of a field that somebody has changed meanwhile they keep all but the value.
(() => {
  "use strict";
  /**
   * @typedef {object} Asked
   * @property {number} at when it was asked
   * @property {GradioDependency} event
   * @property {Map<number, string | undefined>} texts what stood in the fields that it shows something in
   * @property {boolean} [isStarted]
   */
  const KEPT = { __type__: "update" };
  // What acts on a form that a menu fills waits until it is filled.
  /** @type {Record<string, string>} */
  const FILLED_BY = {
    "load-model": "model-menu", "save-model-settings": "model-menu",
    "character-save": "character-menu", "user-save": "user-menu",
    "save-preset": "preset-menu", "save-grammar": "grammar-menu", "generate": "notebook-menu",
  };
  /** When something was entered in a component, by its number. @type {Map<number, number>} */
  const entered = new Map();
  /** Events that the server knows, by their ids. @type {Map<string, Asked>} */
  const begun = new Map();
  /** Requests for events that are not answered yet. @type {Set<Promise<unknown>>} */
  const asking = new Set();
  /** When a component's choice left for the server. @type {Map<number, number>} */
  const heard = new Map();
  /** @type {Map<string, number> | null} */
  let names = null;

  // ---- Which component of Gradio's an element belongs to, and what its events show.
  /** @param {GradioComponent} component */
  const nameOf = (component) => component.props.elem_id || `component-${component.id}`;
  const known = () => (names ??= new Map(window.gradio_config.components.map((each) => [nameOf(each), each.id])));
  const events = () => window.gradio_config.dependencies;
  /** @param {Element | null} element */
  const ownerOf = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const id = known().get(each.id);
      if (id !== undefined) return id;
    }
    return null;
  };
  /** @param {string} name @returns {number} -1 for what is not on the page */
  const idOf = (name) => known().get(name) ?? -1;
  /** @param {number} id @returns {HTMLTextAreaElement | HTMLInputElement | null} */
  const fieldOf = (id) => {
    const name = [...known()].find(([, each]) => each === id)?.[0] ?? "";
    return document.getElementById(name)?.querySelector(/** @type {string} */ ("textarea, input:not([type=file])")) ?? null;
  };

  // ---- Events that show another chat end the one that sends a message. Those of a choice that has not left yet, and those
  // under way: Gradio may hold back another one of the same kind until they are over.
  /** @type {Set<number>} */
  const unsent = new Set();
  /** @type {Set<Asked>} */
  const switching = new Set();
  const isSwitching = () => unsent.size + switching.size > 0;
  /** @param {GradioDependency} event */
  const isSending = ({ targets }) => targets.some(([id, kind]) => id === idOf("box") && kind === "submit");
  const switches = () => {
    const sending = events().find(isSending)?.id ?? -1;
    return events().filter(({ cancels }) => cancels?.includes(sending));
  };

  // ---- When something was entered.
  /** @param {EventTarget | null} target @param {boolean} [isChoice] */
  const note = (target, isChoice) => {
    // What stands in no component of Gradio's, and messages that are edited, which do not become the conversation.
    if (!(target instanceof Element) || target.closest("[data-own], #chat")) return;
    const id = window.gradio_config?.components ? ownerOf(target) : null;
    if (id === null) return;
    entered.set(id, performance.now());
    if (isChoice ?? !target.matches("[role=listbox], [role=combobox]")) for (const { id: event, targets } of switches())
      if (targets.some(([each, kind]) => each === id && kind === "input")) unsent.add(event);
  };
  for (const kind of ["input", "change"]) document.addEventListener(kind, (event) => note(event.target), true);
  document.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Element && event.target.closest("[role=option]")) note(document.activeElement, true);
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target instanceof Element && event.target.matches("[role=listbox], [role=combobox]")) note(event.target, true);
  }, true);

  // ---- When something was asked for.
  const pause = () => new Promise((done) => setTimeout(done));
  const fetched = window.fetch.bind(window);
  let submitted = 0;
  let session = "";
  // What is asked again and again waits until somebody looks at the tab.
  const seen = async () => {
    while (document.hidden) await new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
  };
  /** @param {RequestInfo | URL} input @param {RequestInit} [options] */
  const join = async (input, options) => {
    const body = String(options?.body ?? "");
    const number = /"fn_index":(\d+),"trigger_id"/.exec(body);
    session = /"session_hash":"(\w+)"/.exec(body)?.[1] ?? session;
    const event = number && events().find((each) => each.id === Number(number[1]));
    for (const [id, kind] of event?.targets ?? []) if (kind === "input") heard.set(id, performance.now());
    if (event && isSending(event)) submitted = performance.now();
    if (event?.targets.some(([, kind]) => kind === "tick")) await seen();
    const work = fetched(input, options);
    if (!event) return work;
    unsent.delete(event.id);
    const isSwitch = switches().includes(event);
    /** @type {Asked} */
    const asked = { at: performance.now(), event, texts: new Map(event.outputs.map((id) => [id, fieldOf(id)?.value])) };
    const named = work.then((answer) => answer.clone().json()).then((answer) => answer.event_id && begun.set(answer.event_id, asked));
    if (isSwitch) switching.add(asked);
    named.catch(() => switching.delete(asked));
    asking.add(named);
    named.catch(() => {}).finally(() => asking.delete(named));
    // What was sent before this answer, the end of the stream above all, has to be heard before it.
    await Promise.allSettled([named]);
    await pause();
    await pause();
    return work;
  };

  // ---- What was answered.
  /** @param {Asked} asked @param {number} id */
  const isLate = (asked, id) => (entered.get(id) ?? -1) > asked.at;
  /** @param {Asked} asked @param {number} id @param {any} value */
  const kept = (asked, id, value) => {
    const field = fieldOf(id);
    const text = asked.texts.get(id);
    // A message that was sent goes; what was written behind it meanwhile stays.
    const isCleared = value === null || value?.text === "";
    if (isCleared && field?.matches("#box textarea") && text !== undefined && text !== "" && field.value.startsWith(text))
      return { text: field.value.slice(text.length), files: [] };
    if (value?.__type__ !== "update") return KEPT;
    const { value: dropped, ...rest } = value;
    // Whatever depends on the field hears of it once more, behind what the answer says.
    if (dropped !== undefined && field?.matches("[type=number], [type=checkbox]"))
      setTimeout(() => field.dispatchEvent(new Event("input", { bubbles: true })), 50);
    return rest;
  };
  /** @param {string} message */
  const eventOf = (message) => /"event_id":\s*"(\w+)"/.exec(message.slice(0, 400))?.[1];
  // It may be here before the word of which event it belongs to.
  /** @param {string} message */
  const isEarly = (message) => {
    const id = eventOf(message);
    return asking.size > 0 && id !== undefined && !begun.has(id);
  };
  /** @param {string} message */
  const looked = (message) => {
    const id = eventOf(message) ?? "";
    const asked = begun.get(id);
    if (!asked) return message;
    if (/^data:\s*\{"msg":\s*"process_starts"/.test(message)) asked.isStarted = true;
    const isOver = /^data:\s*\{"msg":\s*"process_completed"/.test(message);
    if (isOver) {
      begun.delete(id);
      // What Gradio has held back leaves now.
      setTimeout(() => requestAnimationFrame(() => switching.delete(asked)), BETWEEN);
      setTimeout(pressWaiting, 50);
    }
    const { outputs } = asked.event;
    if (!outputs.some((each) => isLate(asked, each))) return message;
    const told = JSON.parse(message.replace(/^data:/, ""));
    const data = told.output?.data;
    if (!Array.isArray(data)) return message;
    told.output.data = data.map((value, place) => (isLate(asked, outputs[place]) ? kept(asked, outputs[place], value) : value));
    return `data: ${JSON.stringify(told)}`;
  };
  let heardAt = 0;
  const looking = () => {
    let rest = "";
    return new TransformStream({
      async transform(chunk, controller) {
        heardAt = performance.now();
        rest += chunk;
        const messages = rest.split("\n\n");
        rest = messages.pop() ?? "";
        if (!messages.length) return;
        while (messages.some(isEarly)) await Promise.race([...asking].map((each) => each.catch(() => {})).concat(pause()));
        controller.enqueue(messages.map((each) => `${looked(each)}\n\n`).join(""));
      },
      flush(controller) {
        if (rest) controller.enqueue(rest);
      },
    });
  };
  /** @param {RequestInfo | URL} input @param {RequestInit} [options] */
  const listen = async (input, options) => {
    const answer = await fetched(input, options);
    if (!answer.ok || !answer.body) return answer;
    const body = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(looking()).pipeThrough(new TextEncoderStream());
    return new Response(body, { status: answer.status, headers: answer.headers });
  };
  window.fetch = (input, options) => {
    const address = input instanceof Request ? input.url : String(input);
    if (!window.gradio_config?.components) return fetched(input, options);
    if (address.includes("/queue/join")) return join(input, options);
    if (/\/cancel$/.test(address)) return cancel(input, options);
    return address.includes("/queue/data") ? listen(input, options) : fetched(input, options);
  };

  // ---- Gradio drops an Enter without a word while an event of the same kind is ending, and one that another event cancels
  // before the server has begun it: the message is sent again.
  const RETRIES = 20;
  const BETWEEN = 300;
  /** @param {number} at @param {string} text */
  const isSent = (at, text) => {
    const box = document.querySelector("#box textarea");
    return submitted > at || !text || box?.value !== text || document.querySelector("#box .stop-button");
  };
  // Two at a time would send it twice.
  /** @type {number | undefined} */
  let next;
  /** @param {number} at @param {string} text @param {number} tries */
  const sendAgain = (at, text, tries) => {
    if (isSent(at, text) || !tries) return;
    document.querySelector("#box .submit-button")?.click();
    next = setTimeout(() => sendAgain(at, text, tries - 1), BETWEEN);
  };
  /** @param {string} text */
  const sendSoon = (text) => {
    const at = performance.now();
    clearTimeout(next);
    next = setTimeout(() => sendAgain(at, text, RETRIES), BETWEEN);
  };
  // Gradio does not know yet which event it is when its request has not been answered.
  /** @param {RequestInfo | URL} input @param {RequestInit} [options] */
  const cancel = async (input, options) => {
    const { event_id: told, fn_index: number, ...rest } = JSON.parse(String(options?.body ?? "{}"));
    if (!told) await Promise.allSettled([...asking]);
    const id = told ?? [...begun].findLast(([, { event }]) => event.id === number)?.[0];
    const asked = begun.get(id);
    if (asked && isSending(asked.event) && !asked.isStarted) sendSoon(asked.texts.get(idOf("box")) ?? "");
    // Nothing of that kind is under way.
    if (!id) return Response.json({ success: true });
    return fetched(input, { ...options, body: JSON.stringify({ event_id: id, fn_index: number, ...rest }) });
  };

  // ---- A message goes to the chat that was chosen before it.
  const POLL = 50;
  const PATIENCE = 40;
  let isHeld = false;
  /** @param {number} tries */
  const release = (tries) => {
    if (isSwitching() && tries) return void setTimeout(() => release(tries - 1), POLL);
    unsent.clear();
    switching.clear();
    isHeld = false;
    sendSoon(document.querySelector("#box textarea")?.value ?? "");
    document.querySelector("#box .submit-button")?.click();
  };
  /** @param {Event} event */
  const hold = (event) => {
    // A reply that is followed is an event under way for as long as it is written.
    if (!isSwitching() || document.querySelector("#box .stop-button")) return false;
    event.preventDefault();
    event.stopImmediatePropagation();
    clearTimeout(next);
    if (!isHeld) release(PATIENCE);
    isHeld = true;
    return true;
  };
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (field instanceof HTMLTextAreaElement && field.matches("#box textarea") && !hold(event)) sendSoon(field.value);
  }, true);
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("#box .submit-button")) hold(event);
  }, true);

  // ---- What waits for a form to be filled.
  /** @type {Set<HTMLElement>} */
  const waiting = new Set();
  /** @param {HTMLElement} button */
  const menuOf = (button) => idOf(FILLED_BY[button.id] ?? "");
  /** @param {HTMLElement} button */
  const fills = (button) => {
    const menu = menuOf(button);
    return [...begun.values()].some(({ event }) => event.targets.some(([id, kind]) => id === menu && kind === "input"));
  };
  // A choice whose event has not left yet, as on a busy machine.
  /** @param {HTMLElement} button */
  const isUnheard = (button) => (entered.get(menuOf(button)) ?? -1) > (heard.get(menuOf(button)) ?? -1);
  /** @param {HTMLElement} button @param {number} tries @returns {void} */
  const untilHeard = (button, tries) => {
    if (isUnheard(button) && tries) return void setTimeout(() => untilHeard(button, tries - 1), 50);
    heard.set(menuOf(button), performance.now());
    void Promise.allSettled([...asking]).then(() => setTimeout(pressWaiting, 50));
  };
  const pressWaiting = () => {
    for (const button of [...waiting]) {
      if (asking.size || fills(button) || isUnheard(button)) continue;
      waiting.delete(button);
      button.click();
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!button || !(button.id in FILLED_BY) || !window.gradio_config?.components) return;
    if (!asking.size && !fills(button) && !isUnheard(button)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    waiting.add(button);
    untilHeard(button, 20);
  }, true);

  // ---- Whether the server owes an answer; and that nobody will ask for one any more.
  const SOON = 5000;
  window.answers = {
    get isAwaited() {
      const isNew = [...begun.values()].some(({ at }) => performance.now() - at < SOON);
      return asking.size > 0 || isNew || document.querySelector("#box .stop-button") !== null;
    },
    get heardAt() { return heardAt; },
  };
  window.addEventListener("pagehide", ({ persisted }) => {
    // A page that is kept for coming back goes on.
    if (!persisted && session) navigator.sendBeacon("left", new Blob([JSON.stringify({ session })], { type: "application/json" }));
  });
})();
