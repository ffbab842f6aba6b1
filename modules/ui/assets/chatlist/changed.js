// The chat that is shown, when another tab or browser has changed it: it is shown as it is now, with the reply that it is
// getting, once nothing of this tab's own is under way.
(() => {
  "use strict";
  const LATER = 500;
  const OWN = "#live .message-row, #chat .edit-textarea, #queue, [role=dialog]";
  /** For which it was shown last: what is not shown then, never will be. */
  let last = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** The mark of the messages that are shown. @returns {string | undefined} */
  const mark = () => {
    try {
      return JSON.parse(document.querySelector("#place textarea")?.value || "{}").mark;
    } catch {
      return undefined;
    }
  };
  const isBusy = () => document.hidden || window.answers.isAwaited || document.querySelector(OWN) !== null;
  /** @param {() => Promise<unknown>} again */
  const askLater = (again) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (isBusy()) askLater(again);
      else again().catch(() => {});
    }, LATER);
  };
  window.changedChat = {
    hear(chat, { state = "", gone = false }, again) {
      clearTimeout(timer);
      const { shown, acts } = window.pastChats;
      const key = `${chat} ${gone ? "gone" : state}`;
      if (!chat || chat !== shown.chat || (!gone && !state)) return;
      if (!gone && state === mark()) return void (last = "");
      if (key === last) return;
      if (isBusy()) return askLater(again);
      last = key;
      acts.open({ chat, changed: "elsewhere" });
    },
  };
})();
