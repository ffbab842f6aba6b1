(() => {
  "use strict";
  const whenThere = (act) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act();
  const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");
  const chosenLook = () => localStorage.getItem("look") ?? window.preferredLook;
  const wear = () => {
    const look = chosenLook();
    document.body.classList.toggle("dark", look === "dark" || (look === "system" && systemIsDark.matches));
  };
  whenThere(wear);
  systemIsDark.addEventListener("change", wear);
  window.wearLook = (look) => {
    localStorage.setItem("look", look);
    wear();
  };

  const byId = (id) => document.getElementById(id);
  const press = (id) => {
    const element = byId(id);
    const button = element?.matches("button") ? element : element?.querySelector("button");
    if (button && !button.disabled) button.click();
  };

  // ---- What the page's own buttons on messages need to know; the server sends it along with the messages.
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

  // ---- On a phone the sides lie over the conversation, so they are closed until they are wanted.
  const isNarrow = () => window.innerWidth <= 768;
  const closeSides = () => document.querySelectorAll(".sidebar.open .toggle-button").forEach((button) => button.click());
  const closeAtFirst = () => {
    if (!isNarrow()) return;
    if (document.querySelectorAll(".sidebar.open .toggle-button").length < 1) return setTimeout(closeAtFirst, 50);
    closeSides();
  };
  whenThere(closeAtFirst);
  document.addEventListener("click", (event) => {
    if (isNarrow() && event.target.closest?.("#new-chat, #new-incognito, #past-chats label")) closeSides();
  });

  // ---- A tab goes on in its chat, with what stood in the box, after a reload: Gradio makes one of its own when a message
  // was sent while the program was not there.
  const kept = { box: "#box textarea", place: "#place textarea, #place input" };
  const valueOf = (name) => document.querySelector(kept[name])?.value ?? "";
  window.addEventListener("pagehide", () => {
    for (const name of Object.keys(kept)) sessionStorage.setItem(name, valueOf(name));
  });
  window.keptPlace = () => sessionStorage.getItem("place") ?? "";
  const putBack = () => {
    const words = sessionStorage.getItem("box");
    const box = document.querySelector(kept.box);
    if (!words) return;
    if (!box) return setTimeout(putBack, 50);
    sessionStorage.removeItem("box");
    if (box.value) return;
    box.value = words;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  whenThere(putBack);

  // ---- What is copied is what was written, not how it is kept from being taken for HTML, nor the marks of formulas.
  const clipboard = navigator.clipboard;
  if (clipboard?.writeText) {
    const write = clipboard.writeText.bind(clipboard);
    const marks = /\u2063(?=\$|\\[[(])|(?<=[$)\]])\u2063/g;
    clipboard.writeText = (text) => write(text.replaceAll("&#60;", "<").replace(marks, ""));
  }

  // ---- Gradio's text fields hear keys alone, not what is pasted, deleted, dictated or composed.
  let isTyped = false;
  document.addEventListener("keypress", () => {
    isTyped = true;
    setTimeout(() => { isTyped = false; });
  }, true);
  document.addEventListener("input", (event) => {
    if (!isTyped && event.target.matches?.("[data-testid=textbox]"))
      event.target.dispatchEvent(new KeyboardEvent("keypress", { key: "Unidentified", bubbles: true }));
  });

  // ---- Keys.
  const rows = () => [...document.querySelectorAll("#chat .message-buttons")].map((bar) => bar.closest(".message-row"));
  // The number of the reply that is meant: the one that has the focus; with Alt, the last one if none has.
  const meantReply = (event) => {
    const focused = document.activeElement?.closest("#chat .message-row");
    if (focused && !event.altKey) {
      const index = rows().indexOf(focused);
      return facts[index]?.p === "text" && facts[index].s === "assistant" ? index : -1;
    }
    const last = facts.findLastIndex((fact) => fact.p === "text");
    return event.altKey && facts[last]?.s === "assistant" ? last : -1;
  };
  const turnVersion = (event) => {
    const index = meantReply(event);
    if (index < 0) return false;
    const isNewest = facts[index].v >= facts[index].n;
    if (event.key === "ArrowLeft") send({ act: "previous", index });
    else if (!isNewest) send({ act: "next", index });
    else if (index === facts.findLastIndex((fact) => fact.p === "text")) press("regenerate");
    return true;
  };
  const isWriting = () => {
    const element = document.activeElement;
    return element && (element.matches("textarea, input:not([type=radio], [type=checkbox])") || element.isContentEditable) && element.value !== "";
  };
  const showsChat = () => byId("scroller")?.offsetParent !== null;
  document.addEventListener("keydown", (event) => {
    if (window.overlay?.isOpen) return;
    const control = event.ctrlKey || event.metaKey;
    const taken = (() => {
      if (control && !event.shiftKey && event.key === "s") return byId("controls")?.querySelector(".toggle-button")?.click(), true;
      if (!showsChat() || document.activeElement?.matches(".edit-textarea, .chat-name")) return false;
      if (event.key === "Escape") return document.querySelector("#box .stop-button")?.click(), true;
      if (control && event.key === "Enter") return press("regenerate"), true;
      if (event.altKey && event.key === "Enter") return press("continue"), true;
      if (control && event.shiftKey && event.key === "Backspace") return press("remove-last"), true;
      if (control && event.shiftKey && event.key.toLowerCase() === "m") return press("impersonate"), true;
      if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !control && !event.shiftKey && !isWriting()) return turnVersion(event);
      return false;
    })();
    if (taken) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);
})();
