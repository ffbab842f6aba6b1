// What is sent while a reply is written waits above the box, and is sent in order when the reply is complete.
(() => {
  "use strict";
  const BETWEEN = 200;
  /** Given up on when nothing has come of it by then. */
  const PATIENCE = 10000;
  /** Keys of the chats whose messages wait for their user. @type {Set<string>} */
  const paused = new Set();
  /** The message that was handed over last: of which chat, when, and behind how many.
   * @type {{ key: string, at: number, before: number } | null} */
  let sending = null;
  /** The key of the chat whose message has files: it waits in the box. */
  let held = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const box = () => document.querySelector("#box textarea");
  const isBusy = () => Boolean(document.querySelector("#box .stop-button, #live .message-row"));
  const asked = () => window.chatPage.facts.filter((fact) => fact.s === "user").length;
  /** Of the chat, whichever model it is answered by: that one is known only some time after the first message. */
  const key = () => {
    const place = document.querySelector("#place textarea")?.value;
    if (!place) return "queue";
    const { character, chat } = JSON.parse(place);
    return `queue ${JSON.stringify([character, chat])}`;
  };
  /** @returns {string[]} */
  const waiting = () => {
    try {
      return JSON.parse(sessionStorage.getItem(key()) ?? "[]");
    } catch {
      return [];
    }
  };
  /** @param {string[]} texts */
  const keep = (texts) => {
    if (texts.length) sessionStorage.setItem(key(), JSON.stringify(texts));
    else sessionStorage.removeItem(key());
    show();
  };
  /** @param {boolean} isOn */
  const pause = (isOn) => (isOn ? paused.add(key()) : paused.delete(key()));
  /** @param {string} text */
  const write = (text) => {
    const field = box();
    if (!field) return;
    // Gradio hears of what is written as if it had been typed.
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")?.set?.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  };
  /** @param {string} label @param {string} icon @param {() => void} act */
  const button = (label, icon, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", title: label, className: "icon-only" });
    made.setAttribute("aria-label", label);
    made.append(Object.assign(document.createElement("span"), { className: `icon icon-${icon}` }));
    made.addEventListener("click", act);
    return made;
  };
  /** @param {number} index */
  const without = (index) => keep(waiting().filter((_, each) => each !== index));
  /** @param {string} text @param {number} index */
  const chip = (text, index) => {
    const made = document.createElement("li");
    made.append(
      Object.assign(document.createElement("span"), { textContent: text, title: text }),
      button(window.text("Edit"), "pencil", () => {
        const draft = box()?.value;
        without(index);
        write(draft ? `${text}\n${draft}` : text);
      }),
      button(window.text("Remove"), "x", () => without(index)),
    );
    return made;
  };
  /** @param {boolean} isOn */
  const hold = (isOn) => {
    held = isOn ? key() : "";
    show();
  };
  /** Not when its user has emptied the box meanwhile, or shows another chat. */
  const isHeld = () => held !== "" && held === key() && Boolean(document.querySelector("#box .thumbnail-item"));
  const heldNote = () => {
    const made = Object.assign(document.createElement("p"), { role: "status", textContent: window.text("This message is sent when the reply is complete.") });
    const keeping = Object.assign(document.createElement("button"), { type: "button", className: "strip-act", textContent: window.text("Keep it") });
    keeping.addEventListener("click", () => hold(false));
    made.append(" ", keeping);
    return made;
  };
  const show = () => {
    const texts = waiting();
    let list = document.getElementById("queue");
    if (!texts.length && !isHeld()) return list?.remove();
    if (!list) {
      list = Object.assign(document.createElement("div"), { id: "queue", role: "region", ariaLabel: window.text("Messages that wait") });
      document.querySelector("#box")?.before(list);
    }
    const items = document.createElement("ol");
    items.append(...texts.map(chip));
    list.replaceChildren(...(texts.length ? [items] : []), ...(isHeld() ? [heldNote()] : []));
    if (paused.has(key()) && !isBusy()) {
      const go = Object.assign(document.createElement("button"), { type: "button", className: "strip-act", textContent: window.text("Send now") });
      go.addEventListener("click", () => {
        pause(false);
        look();
      });
      list.append(go);
    }
    clearTimeout(timer);
    timer = setTimeout(look, BETWEEN);
  };
  /** What is in the box. The key has it sent again where Gradio drops a press, as it does while an event is ending. */
  const send = () => {
    box()?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    document.querySelector("#box .submit-button")?.click();
  };
  const look = () => {
    clearTimeout(timer);
    const texts = waiting();
    if (!texts.length) {
      sending = null;
      if (!isHeld()) return show();
      if (isBusy()) return void (timer = setTimeout(look, BETWEEN));
      hold(false);
      if (!paused.has(key())) send();
      return;
    }
    // Another chat is shown before it was seen whether the message has begun: its user says whether it is to be sent.
    if (sending && sending.key !== key()) {
      paused.add(sending.key);
      sending = null;
    }
    if (sending && (isBusy() || asked() > sending.before)) {
      sending = null;
      return keep(texts.slice(1));
    }
    const isPaused = paused.has(key());
    if (!isBusy() && isPaused && !document.querySelector("#queue > button")) return show();
    if (sending && performance.now() - sending.at > PATIENCE) {
      sending = null;
      pause(true);
    } else if (!isBusy() && !isPaused && !sending) {
      sending = { key: key(), at: performance.now(), before: asked() };
      window.chatPage.resend({ text: texts[0] });
    }
    timer = setTimeout(look, BETWEEN);
  };
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    const isEnter = event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.isComposing;
    if (!isEnter || !(field instanceof HTMLTextAreaElement) || !field.matches("#box textarea")) return;
    if (!document.querySelector("#box .stop-button")) return void pause(false);
    event.preventDefault();
    event.stopImmediatePropagation();
    pause(false);
    if (document.querySelector("#box .thumbnail-item")) return hold(true);
    const text = field.value;
    if (!text.trim()) return;
    write("");
    keep([...waiting(), text]);
  }, true);
  document.addEventListener("click", (event) => {
    if (event.target?.closest?.("#box .stop-button")) pause(true);
  }, true);
  const watch = () => {
    const scroller = document.querySelector("#scroller");
    if (!scroller || !document.querySelector("#place textarea") || !document.querySelector("#box")) return void setTimeout(watch, 100);
    let shown = "";
    new MutationObserver(() => {
      if (shown === key()) return;
      shown = key();
      show();
    }).observe(scroller, { childList: true, subtree: true });
    show();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
