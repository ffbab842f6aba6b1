// Keys of the conversation.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const press = (id) => {
    const element = byId(id);
    const button = element?.matches("button") ? element : element?.querySelector("button");
    if (button && !button.disabled) button.click();
  };
  const { chatPage } = window;
  const facts = () => chatPage.facts;
  const rows = () => [...document.querySelectorAll("#chat .message-buttons")].map((bar) => bar.closest(".message-row"));
  // The number of the reply that is meant: the one that has the focus; with Alt, the last one if none has.
  const meantReply = (event) => {
    const focused = document.activeElement?.closest("#chat .message-row");
    if (focused && !event.altKey) {
      const index = rows().indexOf(focused);
      return facts()[index]?.p === "text" && facts()[index].s === "assistant" ? index : -1;
    }
    const last = facts().findLastIndex((fact) => fact.p === "text");
    return event.altKey && facts()[last]?.s === "assistant" ? last : -1;
  };
  const turnVersion = (event) => {
    const index = meantReply(event);
    if (index < 0) return false;
    const isNewest = facts()[index].v >= facts()[index].n;
    if (event.key === "ArrowLeft") chatPage.send({ act: "previous", index });
    else if (!isNewest) chatPage.send({ act: "next", index });
    else if (index === facts().findLastIndex((fact) => fact.p === "text")) press("regenerate");
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
      if (control && !event.shiftKey && event.key === "s") return window.sides.toggle("inspector"), true;
      if (!showsChat() || document.activeElement?.matches(".edit-textarea, .chat-name, .token, #token-popover button")) return false;
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
