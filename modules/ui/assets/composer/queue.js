// What is sent while a reply is written waits above the box, and is sent in order when the reply is complete.
(() => {
  "use strict";
  const BETWEEN = 200;
  /** Given up on when nothing has come of it by then. */
  const PATIENCE = 10000;
  let isPaused = false;
  let sending = 0;
  let before = 0;
  let timer = 0;
  const box = () => document.querySelector("#box textarea");
  const isBusy = () => Boolean(document.querySelector("#box .stop-button, #live .message-row"));
  const asked = () => window.chatPage.facts.filter((fact) => fact.s === "user").length;
  /** Of the chat, whichever model it is answered by: that one is known only some time after the first message. */
  const key = () => {
    const place = document.querySelector("#place textarea, #place input")?.value;
    if (!place) return "queue";
    const { character, chat } = JSON.parse(place);
    return `queue ${JSON.stringify([character, chat])}`;
  };
  const waiting = () => {
    try {
      return JSON.parse(sessionStorage.getItem(key()) ?? "[]");
    } catch {
      return [];
    }
  };
  const keep = (texts) => {
    if (texts.length) sessionStorage.setItem(key(), JSON.stringify(texts));
    else sessionStorage.removeItem(key());
    show();
  };
  const write = (text) => {
    const field = box();
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  };
  const button = (label, icon, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", title: label, className: "icon-only" });
    made.setAttribute("aria-label", label);
    made.append(Object.assign(document.createElement("span"), { className: `icon icon-${icon}` }));
    made.addEventListener("click", act);
    return made;
  };
  const without = (index) => keep(waiting().filter((_, each) => each !== index));
  const chip = (text, index) => {
    const made = document.createElement("li");
    made.append(
      Object.assign(document.createElement("span"), { textContent: text, title: text }),
      button("Edit", "pencil", () => {
        const draft = box().value;
        without(index);
        write(draft ? `${text}\n${draft}` : text);
      }),
      button("Remove", "x", () => without(index)),
    );
    return made;
  };
  const show = () => {
    const texts = waiting();
    let list = document.getElementById("queue");
    if (!texts.length) return list?.remove();
    if (!list) {
      list = Object.assign(document.createElement("div"), { id: "queue", role: "region", ariaLabel: "Messages that wait" });
      document.querySelector("#box").before(list);
    }
    const items = document.createElement("ol");
    items.append(...texts.map(chip));
    list.replaceChildren(items);
    if (isPaused && !isBusy()) {
      const go = Object.assign(document.createElement("button"), { type: "button", className: "strip-act", textContent: window.text("Send now") });
      go.addEventListener("click", () => {
        isPaused = false;
        look();
      });
      list.append(go);
    }
    clearTimeout(timer);
    timer = setTimeout(look, BETWEEN);
  };
  const look = () => {
    clearTimeout(timer);
    const texts = waiting();
    if (!texts.length) return show();
    if (sending && (isBusy() || asked() > before)) {
      sending = 0;
      return keep(texts.slice(1));
    }
    if (!isBusy() && isPaused && !document.querySelector("#queue > button")) return show();
    const isStuck = sending && performance.now() - sending > PATIENCE;
    if (isStuck) [sending, isPaused] = [0, true];
    if (!isBusy() && !isPaused && !sending) {
      sending = performance.now();
      before = asked();
      window.chatPage.resend({ text: texts[0] });
    }
    timer = setTimeout(look, BETWEEN);
  };
  document.addEventListener("keydown", (event) => {
    const isEnter = event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.isComposing;
    if (!isEnter || !event.target.matches?.("#box textarea")) return;
    if (!document.querySelector("#box .stop-button")) return void (isPaused = false);
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.target.value.trim() || document.querySelector("#box .thumbnail-item")) return;
    const text = event.target.value;
    isPaused = false;
    write("");
    keep([...waiting(), text]);
  }, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#box .stop-button")) isPaused = true;
  }, true);
  const watch = () => {
    const place = document.querySelector("#place textarea, #place input");
    if (!place || !document.querySelector("#box")) return setTimeout(watch, 100);
    let shown = "";
    new MutationObserver(() => {
      if (shown === key()) return;
      shown = key();
      show();
    }).observe(document.querySelector("#scroller"), { childList: true, subtree: true });
    show();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
