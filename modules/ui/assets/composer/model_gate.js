// Without a model there is a menu of models where messages are written; what was sent meanwhile is sent when one is there.
(() => {
  "use strict";
  const TRIES = 20;
  const BETWEEN = 150;
  let wait = () => {};
  let follows = false;
  let isWaiting = false;
  const box = () => document.querySelector("#box textarea");
  /** @param {number} tries */
  const send = (tries) => {
    const isEmpty = !box()?.value && !document.querySelector("#box .thumbnail-item");
    if (isEmpty || document.querySelector("#box .stop-button") || !tries) return;
    document.querySelector("#box .submit-button")?.click();
    setTimeout(() => send(tries - 1), BETWEEN);
  };
  window.modelGate = {
    connect(trigger, value) {
      wait = trigger;
      this.apply(value());
    },
    apply(value) {
      let told;
      try {
        told = JSON.parse(value || "{}");
      } catch {
        return;
      }
      document.documentElement.toggleAttribute("data-no-model", told.has === false);
      if (told.waits) isWaiting = true;
      if (told.over) follows = false;
      if (told.has === false && !follows) {
        follows = true;
        // An event that is just ending swallows the next one of its kind.
        setTimeout(wait, BETWEEN);
      }
      if (!told.has) return;
      follows = false;
      if (!isWaiting) return;
      isWaiting = false;
      window.sections.show("chat-tab");
      setTimeout(() => send(TRIES), BETWEEN);
    },
  };
  document.addEventListener("click", (event) => {
    if (event.target?.closest?.("#to-models")) window.sections.show("model-tab");
    if (event.target?.closest?.("#new-chat, #new-incognito, #past-chats .chat-row")) isWaiting = false;
  });
})();
