// What the page's own buttons on messages need to know; the server sends it along with the messages.
(() => {
  "use strict";
  /** @param {() => void} act */
  const whenThere = (act) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act();
  /** @param {string} id */
  const byId = (id) => document.getElementById(id);
  /** @type {MessageFact[]} */
  let facts = [];
  /** @type {string[]} */
  let keys = [];
  /** @type {Send} */
  let send = () => {};
  /** @type {Send} */
  let resend = () => {};
  /** @param {string} id */
  const press = (id) => (byId(id)?.matches("button") ? byId(id) : byId(id)?.querySelector("button"))?.click();
  /** @param {string} className @param {string} textContent @param {string} [title] */
  const textElement = (className, textContent, title = "") =>
    Object.assign(document.createElement("span"), { className, textContent, title });
  /** @param {string} label @param {string} icon @param {() => void} act */
  const iconButton = (label, icon, act) => {
    const button = Object.assign(document.createElement("button"), { className: "message-act", type: "button", title: label });
    button.setAttribute("aria-label", label);
    if (icon.length > 2) button.append(Object.assign(document.createElement("span"), { className: `icon icon-${icon}`, ariaHidden: "true" }));
    else button.textContent = icon;
    button.addEventListener("click", act);
    return button;
  };
  /** @param {Element} bar @returns {HTMLElement | undefined} */
  const messageOf = (bar) => {
    // Several messages may stand in one row, each with its buttons behind it.
    const messages = [...(bar.closest(".message-row")?.querySelectorAll("[data-testid=bot]") ?? [])];
    /** @param {Element} message */
    const before = (message) => message.compareDocumentPosition(bar) & Node.DOCUMENT_POSITION_FOLLOWING;
    return messages.filter(before).at(-1);
  };
  // ---- What went wrong stands at the message, with what to do about it.
  /** @type {Record<string, string>} */
  const CUT = { length: "The reply reached the limit of tokens.", incomplete: "The program ended before the reply was complete." };
  /** @param {string} label @param {() => void} act */
  const wordButton = (label, act) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "strip-act", textContent: label });
    button.addEventListener("click", act);
    return button;
  };
  /** @param {MessageFact} fact @param {boolean} isLast */
  const stripOf = (fact, isLast) => {
    const cause = fact.e || (isLast && (CUT[fact.x ?? ""] || (fact.o && "This message has no reply.")));
    if (!cause) return null;
    const strip = Object.assign(document.createElement("div"), { className: "strip", role: "note" });
    strip.classList.toggle("is-failure", Boolean(fact.e));
    strip.classList.toggle("is-bare", fact.p === "failure");
    if (fact.p !== "failure") strip.append(textElement("cause", window.text(cause)));
    if (isLast) {
      if (fact.p === "text" && !fact.o) strip.append(wordButton(window.text("Continue"), () => press("continue")));
      strip.append(wordButton(window.text(fact.o || fact.p === "failure" ? "Retry" : "Regenerate"), () => press("regenerate")));
      if (fact.e) strip.append(wordButton(window.text("Choose model…"), () => document.querySelector(/** @type {string} */ ("#model-pill button, #model-pill"))?.click()));
    }
    return strip;
  };
  /** @param {Element} bar @param {string} was @param {string} label */
  const relabel = (bar, was, label) => {
    const button = /** @type {HTMLElement | null} */ (bar.querySelector(`button[aria-label="${was}"]`));
    button?.setAttribute("aria-label", label);
    if (button) button.title = label;
  };
  /** @param {MessageFact} fact @param {number} index */
  const versionsOf = (fact, index) => [
    iconButton(window.text("Previous version"), "‹", () => send({ act: "previous", index })),
    textElement("versions", `${fact.v}/${fact.n}`),
    iconButton(window.text("Next version"), "›", () => send({ act: "next", index })),
  ];
  /** @param {HTMLElement} bar @param {MessageFact} fact @param {number} index @param {boolean} isLast */
  const actsOf = (bar, fact, index, isLast) => {
    const own = textElement("message-acts", "");
    if (fact.p === "text") {
      if (fact.n > 1) own.append(...versionsOf(fact, index));
      if (fact.s === "assistant") {
        if (isLast) own.append(iconButton(window.text("Continue"), "play", () => press("continue")));
        const key = (bar.dataset.read = `${fact.r}/${fact.v}`);
        const button = iconButton(window.text("Read aloud"), "volume-2", () => window.readAloud.toggle(messageOf(bar), key));
        button.classList.add("read-aloud");
        own.append(button);
      }
      if (fact.s === "assistant") own.append(iconButton(window.text("Compare"), "columns-2", () => window.compare.open(index)));
      own.append(iconButton(window.text("Branch here"), "git-branch", () => send({ act: "branch", index })));
      if (fact.t) own.append(textElement("pace", fact.t, fact.i));
      if (fact.i) own.append(textElement("info", fact.i));
    }
    return own;
  };
  /** @param {HTMLElement} bar @param {number} index */
  const decorateBar = (bar, index) => {
    const fact = facts[index];
    if (!fact) return;
    // While the messages are being replaced there may be more or fewer of them.
    if (bar.dataset.fact === keys[index] || !bar.closest(fact.s === "user" ? ".user-row" : ".bot-row")) return;
    bar.dataset.fact = keys[index];
    const isLast = index === facts.length - 1;
    bar.querySelector(":scope > .message-acts")?.remove();
    if (bar.nextElementSibling?.matches(".strip")) bar.nextElementSibling.remove();
    bar.classList.toggle("is-folded", fact.p !== "text");
    const row = bar.closest(".message-row");
    row?.classList.toggle("is-last", isLast);
    relabel(bar, "Retry", "Regenerate");
    relabel(bar, "Undo", "Delete");
    bar.append(actsOf(bar, fact, index, isLast));
    const strip = stripOf(fact, isLast);
    if (strip) bar.after(strip);
    // Whoever clicks on a message means it with the keys, too.
    if (row) row.tabIndex = -1;
  };
  // Gradio's own markup, where it says to screen readers what is not so: a button within a button, a list without items.
  const mend = () => {
    for (const each of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('#chat .title button[aria-label=""]'))) each.inert = true;
    document.querySelector("#chat .examples")?.removeAttribute("role");
  };
  const decorate = () => {
    mend();
    document.querySelectorAll("#chat .message-buttons").forEach(decorateBar);
    window.readAloud?.show();
  };
  /** @param {() => void} act */
  const whenIdle = (act) => {
    let asked = false;
    return () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        act();
      });
    };
  };
  const decorateSoon = whenIdle(decorate);
  window.chatPage = {
    get facts() { return facts; },
    send(act) { send(act); },
    /** A message's number and its new words, or words alone for one more. @param {Record<string, unknown>} asked */
    resend(asked) { resend(asked); },
    /** @param {Send} trigger */
    resends(trigger) { resend = trigger; },
    /** @param {Element | null | undefined} bar */
    indexOf(bar) { return /** @type {(Element | null | undefined)[]} */ ([...document.querySelectorAll("#chat .message-buttons")]).indexOf(bar); },
    connect(trigger, value) {
      send = trigger;
      this.apply(value());
    },
    apply(value) {
      try {
        facts = JSON.parse(value || "[]");
      } catch {
        facts = [];
      }
      keys = facts.map((fact, index) => JSON.stringify([index, index === facts.length - 1, fact]));
      decorateSoon();
      document.dispatchEvent(new CustomEvent("chatshown"));
    },
  };

  const watch = () => {
    const chat = byId("chat");
    if (!chat) return void setTimeout(watch, 50);
    new MutationObserver(decorateSoon).observe(chat, { childList: true, subtree: true });
  };
  whenThere(watch);
})();
