(() => {
  "use strict";
  const whenThere = (act) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act();
  const wear = (look) => document.body.classList.toggle("dark", look === "dark");
  whenThere(() => wear(localStorage.getItem("look") ?? window.preferredLook));
  window.wearLook = (look) => {
    localStorage.setItem("look", look);
    wear(look);
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
      if (fact.p === "text") own.append(iconButton("Branch here", "⎇", () => send({ act: "branch", index })));
      if (fact.i) {
        own.append(Object.assign(document.createElement("span"), { className: "info", textContent: fact.i, title: fact.i }));
      }
      bar.append(own);
    });
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

  // ---- The conversation stays at its end unless the reader has scrolled up.
  let follows = true;
  const nearEnd = (element) => element.scrollHeight - element.scrollTop - element.clientHeight < 80;
  const toEnd = whenIdle(() => {
    const scroller = byId("scroller");
    if (scroller && follows) scroller.scrollTop = scroller.scrollHeight;
  });
  const watch = () => {
    const scroller = byId("scroller");
    const chat = byId("chat");
    if (!scroller || !chat) return setTimeout(watch, 50);
    scroller.addEventListener("scroll", () => { follows = nearEnd(scroller); }, { passive: true });
    const grown = new ResizeObserver(toEnd);
    for (const child of scroller.children) grown.observe(child);
    new MutationObserver(() => {
      decorateSoon();
      toEnd();
    }).observe(chat, { childList: true, subtree: true });
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
  document.addEventListener("change", (event) => {
    if (isNarrow() && event.target.closest?.("#past-chats")) closeSides();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#box .submit-button, #past-chats, #regenerate, #continue")) follows = true;
    if (isNarrow() && event.target.closest?.("#new-chat, #new-incognito")) closeSides();
  });

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
  const lastBar = () => {
    const bars = [...document.querySelectorAll("#chat .message-buttons")];
    for (let index = bars.length - 1; index >= 0; index--) if (facts[index]?.p === "text") return index;
    return -1;
  };
  const isWriting = () => {
    const element = document.activeElement;
    return element && (element.matches("textarea, input") || element.isContentEditable) && element.value !== "";
  };
  const showsChat = () => byId("scroller")?.offsetParent !== null;
  document.addEventListener("keydown", (event) => {
    const control = event.ctrlKey || event.metaKey;
    const taken = (() => {
      if (control && !event.shiftKey && event.key === "s") return byId("controls")?.querySelector(".toggle-button")?.click(), true;
      if (!showsChat()) return false;
      if (event.key === "Escape") return document.querySelector("#box .stop-button")?.click(), true;
      if (control && event.key === "Enter") return press("regenerate"), true;
      if (event.altKey && event.key === "Enter") return press("continue"), true;
      if (control && event.shiftKey && event.key === "Backspace") return press("remove-last"), true;
      if (control && event.shiftKey && event.key.toLowerCase() === "m") return press("impersonate"), true;
      if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !control && !event.altKey && !isWriting()) {
        if (document.activeElement?.closest("[role=tablist], [role=radiogroup], #past-chats, input[type=range]")) return false;
        const index = lastBar();
        if (index < 0 || facts[index].s !== "assistant") return false;
        if (event.key === "ArrowRight" && facts[index].v >= facts[index].n) return press("regenerate"), true;
        return send({ act: event.key === "ArrowLeft" ? "previous" : "next", index }), true;
      }
      return false;
    })();
    if (taken) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);
})();
