// An answer that comes late leaves alone what was entered after it was asked for. Gradio shows whatever an event brings,
// so its answers are looked through on their way: of a field that somebody has changed meanwhile they keep all but the value.
(() => {
  "use strict";
  const KEPT = { __type__: "update" };
  // What acts on a form that a menu fills waits until it is filled.
  const FILLED_BY = {
    "load-model": "model-menu", "save-model-settings": "model-menu",
    "character-save": "character-menu", "user-save": "user-menu",
    "save-preset": "preset-menu", "save-grammar": "grammar-menu", "generate": "notebook-menu",
  };
  const entered = new Map();
  const begun = new Map();
  const asking = new Set();
  const heard = new Map();
  let names = null;

  // ---- Which component of Gradio's an element belongs to, and what its events show.
  const nameOf = (component) => component.props.elem_id || `component-${component.id}`;
  const config = () => {
    names ??= new Map(window.gradio_config.components.map((each) => [nameOf(each), each.id]));
    return window.gradio_config;
  };
  const ownerOf = (element) => {
    config();
    for (let each = element; each; each = each.parentElement) if (each.id && names.has(each.id)) return names.get(each.id);
    return null;
  };
  const idOf = (name) => (config(), names.get(name));
  const fieldOf = (id) => {
    const name = [...names].find(([, each]) => each === id)?.[0];
    return document.getElementById(name)?.querySelector("textarea, input:not([type=file])");
  };

  // ---- Events that show another chat end the one that sends a message. Those of a choice that has not left yet, and those
  // under way: Gradio may hold back another one of the same kind until they are over.
  const unsent = new Set();
  const switching = new Set();
  const isSwitching = () => unsent.size + switching.size > 0;
  const isSending = ({ targets }) => targets.some(([id, kind]) => id === idOf("box") && kind === "submit");
  const switches = () => {
    const sending = config().dependencies.find(isSending)?.id;
    return config().dependencies.filter(({ cancels }) => cancels?.includes(sending));
  };

  // ---- When something was entered.
  const note = (element, isChoice = !element.matches?.("[role=listbox], [role=combobox]")) => {
    // What stands in no component of Gradio's.
    if (element?.closest?.("[data-own]")) return;
    const id = window.gradio_config?.components && ownerOf(element);
    if (id == null) return;
    entered.set(id, performance.now());
    if (isChoice) for (const { id: event, targets } of switches())
      if (targets.some(([each, kind]) => each === id && kind === "input")) unsent.add(event);
  };
  for (const kind of ["input", "change"]) document.addEventListener(kind, (event) => note(event.target), true);
  document.addEventListener("pointerdown", (event) => {
    if (event.target.closest?.("[role=option]")) note(document.activeElement, true);
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches?.("[role=listbox], [role=combobox]")) note(event.target, true);
  }, true);

  // ---- When something was asked for.
  const pause = () => new Promise((done) => setTimeout(done));
  const fetched = window.fetch.bind(window);
  let submitted = 0;
  const join = async (input, options) => {
    const number = /"fn_index":(\d+),"trigger_id"/.exec(options?.body ?? "");
    const event = number && config().dependencies.find((each) => each.id === Number(number[1]));
    for (const [id, kind] of event?.targets ?? []) if (kind === "input") heard.set(id, performance.now());
    if (event && isSending(event)) submitted = performance.now();
    unsent.delete(event?.id);
    const isSwitch = event && switches().includes(event);
    const work = fetched(input, options);
    if (!event) return work;
    const asked = { at: performance.now(), event, texts: new Map(event.outputs.map((id) => [id, fieldOf(id)?.value])) };
    const known = work.then((answer) => answer.clone().json()).then((answer) => answer.event_id && begun.set(answer.event_id, asked));
    if (isSwitch) switching.add(asked);
    known.catch(() => switching.delete(asked));
    asking.add(known);
    known.catch(() => {}).finally(() => asking.delete(known));
    // What was sent before this answer, the end of the stream above all, has to be heard before it.
    await Promise.allSettled([known]);
    await pause();
    await pause();
    return work;
  };

  // ---- What was answered.
  const isLate = (asked, id) => (entered.get(id) ?? -1) > asked.at;
  const kept = (asked, id, value) => {
    const field = fieldOf(id);
    const text = asked.texts.get(id);
    // A message that was sent goes; what was written behind it meanwhile stays.
    const isCleared = value === null || value?.text === "";
    if (isCleared && field?.matches("#box textarea") && text && field.value.startsWith(text))
      return { text: field.value.slice(text.length), files: [] };
    if (value?.__type__ !== "update") return KEPT;
    const { value: dropped, ...rest } = value;
    // Whatever depends on the field hears of it once more, behind what the answer says.
    if (dropped !== undefined && field?.matches("[type=number], [type=checkbox]"))
      setTimeout(() => field.dispatchEvent(new Event("input", { bubbles: true })), 50);
    return rest;
  };
  const eventOf = (message) => /"event_id":\s*"(\w+)"/.exec(message.slice(0, 400))?.[1];
  // It may be here before the word of which event it belongs to.
  const isEarly = (message) => asking.size > 0 && eventOf(message) !== undefined && !begun.has(eventOf(message));
  const looked = (message) => {
    const id = eventOf(message);
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
  const looking = () => {
    let rest = "";
    return new TransformStream({
      async transform(chunk, controller) {
        rest += chunk;
        const messages = rest.split("\n\n");
        rest = messages.pop();
        if (!messages.length) return;
        while (messages.some(isEarly)) await Promise.race([...asking].map((each) => each.catch(() => {})).concat(pause()));
        controller.enqueue(messages.map((each) => `${looked(each)}\n\n`).join(""));
      },
      flush(controller) {
        if (rest) controller.enqueue(rest);
      },
    });
  };
  const listen = async (input, options) => {
    const answer = await fetched(input, options);
    if (!answer.ok || !answer.body) return answer;
    const body = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(looking()).pipeThrough(new TextEncoderStream());
    return new Response(body, { status: answer.status, headers: answer.headers });
  };
  window.fetch = (input, options) => {
    const address = String(input?.url ?? input);
    if (!window.gradio_config?.components) return fetched(input, options);
    if (address.includes("/queue/join")) return join(input, options);
    if (/\/cancel$/.test(address)) return cancel(input, options);
    return address.includes("/queue/data") ? listen(input, options) : fetched(input, options);
  };

  // ---- Gradio drops an Enter without a word while an event of the same kind is ending, and one that another event cancels
  // before the server has begun it: the message is sent again.
  const RETRIES = 20;
  const BETWEEN = 300;
  const isSent = (at, text) => {
    const box = document.querySelector("#box textarea");
    return submitted > at || !text || box?.value !== text || document.querySelector("#box .stop-button");
  };
  // Two at a time would send it twice.
  let next = 0;
  const sendAgain = (at, text, tries) => {
    if (isSent(at, text) || !tries) return;
    document.querySelector("#box .submit-button")?.click();
    next = setTimeout(() => sendAgain(at, text, tries - 1), BETWEEN);
  };
  const sendSoon = (text) => {
    const at = performance.now();
    clearTimeout(next);
    next = setTimeout(() => sendAgain(at, text, RETRIES), BETWEEN);
  };
  // Gradio does not know yet which event it is when its request has not been answered.
  const cancel = async (input, options) => {
    const { event_id: told, fn_index: number, ...rest } = JSON.parse(options?.body ?? "{}");
    if (!told) await Promise.allSettled([...asking]);
    const id = told ?? [...begun].findLast(([, { event }]) => event.id === number)?.[0];
    const asked = begun.get(id);
    if (asked && isSending(asked.event) && !asked.isStarted) sendSoon(asked.texts.get(idOf("box")));
    return fetched(input, id ? { ...options, body: JSON.stringify({ event_id: id, fn_index: number, ...rest }) } : options);
  };

  // ---- A message goes to the chat that was chosen before it.
  const POLL = 50;
  const PATIENCE = 40;
  let isHeld = false;
  const release = (tries) => {
    if (isSwitching() && tries) return setTimeout(() => release(tries - 1), POLL);
    unsent.clear();
    switching.clear();
    isHeld = false;
    sendSoon(document.querySelector("#box textarea")?.value);
    document.querySelector("#box .submit-button")?.click();
  };
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
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !event.target.matches?.("#box textarea")) return;
    if (!hold(event)) sendSoon(event.target.value);
  }, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#box .submit-button")) hold(event);
  }, true);

  // ---- What waits for a form to be filled.
  const waiting = new Set();
  const fills = (button) => {
    const menu = idOf(FILLED_BY[button.id]);
    return [...begun.values()].some(({ event }) => event.targets.some(([id, kind]) => id === menu && kind === "input"));
  };
  // A choice whose event has not left yet, as on a busy machine.
  const isUnheard = (button) => (entered.get(idOf(FILLED_BY[button.id])) ?? -1) > (heard.get(idOf(FILLED_BY[button.id])) ?? -1);
  const untilHeard = (button, tries) => {
    if (isUnheard(button) && tries) return setTimeout(() => untilHeard(button, tries - 1), 50);
    heard.set(idOf(FILLED_BY[button.id]), performance.now());
    return Promise.allSettled([...asking]).then(() => setTimeout(pressWaiting, 50));
  };
  const pressWaiting = () => {
    for (const button of [...waiting]) {
      if (asking.size || fills(button) || isUnheard(button)) continue;
      waiting.delete(button);
      button.click();
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (!button || !(button.id in FILLED_BY) || !window.gradio_config?.components) return;
    if (!asking.size && !fills(button) && !isUnheard(button)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    waiting.add(button);
    untilHeard(button, 20);
  }, true);
})();
