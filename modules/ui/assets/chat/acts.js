// What the page's own buttons on messages need to know; the server sends it along with the messages.
(() => {
  "use strict";
  const whenThere = (act) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act();
  const byId = (id) => document.getElementById(id);
  let facts = [];
  let send = () => {};
  const iconButton = (label, text, act) => {
    const button = document.createElement("button");
    button.className = "message-act";
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
    button.textContent = text;
    button.addEventListener("click", act);
    return button;
  };
  const messageOf = (bar) => {
    // Several messages may stand in one row, each with its buttons behind it.
    const messages = [...bar.closest(".message-row").querySelectorAll("[data-testid=bot]")];
    const before = (message) => message.compareDocumentPosition(bar) & Node.DOCUMENT_POSITION_FOLLOWING;
    return messages.filter(before).at(-1);
  };
  const decorate = () => {
    const bars = document.querySelectorAll("#chat .message-buttons");
    if (bars.length !== facts.length) return;
    bars.forEach((bar, index) => {
      const fact = facts[index];
      const key = JSON.stringify([index, fact]);
      if (bar.dataset.fact === key) return;
      bar.dataset.fact = key;
      bar.querySelector(":scope > .message-acts")?.remove();
      bar.classList.toggle("is-folded", fact.p !== "text");
      const own = document.createElement("span");
      own.className = "message-acts";
      if (fact.n > 1 && fact.p === "text") {
        own.append(
          iconButton("Previous version", "‹", () => send({ act: "previous", index })),
          Object.assign(document.createElement("span"), { className: "versions", textContent: `${fact.v}/${fact.n}` }),
          iconButton("Next version", "›", () => send({ act: "next", index })),
        );
      }
      if (fact.p === "text" && fact.s === "assistant") {
        bar.dataset.read = `${fact.r}/${fact.v}`;
        const button = iconButton("Read aloud", "▶\ufe0e", () => window.readAloud.toggle(messageOf(bar), bar.dataset.read));
        button.classList.add("read-aloud");
        own.append(button);
      }
      if (fact.p === "text" && fact.s === "assistant") own.append(iconButton("Compare", "◫", () => window.compare.open(index)));
      if (fact.p === "text") own.append(iconButton("Branch here", "⎇", () => send({ act: "branch", index })));
      for (const [name, words] of [["pace", fact.t], ["info", fact.i]]) {
        if (words) own.append(Object.assign(document.createElement("span"), { className: name, textContent: words }));
      }
      bar.append(own);
      // Whoever clicks on a message means it with the keys, too.
      bar.closest(".message-row").tabIndex = -1;
    });
    window.readAloud?.show();
  };
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
      decorateSoon();
    },
  };

  const watch = () => {
    const chat = byId("chat");
    if (!chat) return setTimeout(watch, 50);
    new MutationObserver(decorateSoon).observe(chat, { childList: true, subtree: true });
  };
  whenThere(watch);
})();
