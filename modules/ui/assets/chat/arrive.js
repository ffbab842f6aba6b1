// Gradio makes messages first and their texts later: at the page's opening they are shown once both are there.
(() => {
  "use strict";
  const root = document.documentElement;
  // From when on the page knows which chat is shown; before, nothing can be there.
  const LONGEST_MS = 2000;
  // An empty chat is one that stays so: its messages would have come with the list of chats.
  const EMPTY_MS = 300;
  // Should the list of chats never come.
  const GIVEN_UP_MS = 15_000;
  const ROWS = "#chat .message-row";
  const TEXTS = `${ROWS} [data-testid=user], ${ROWS} [data-testid=bot]`;
  // One of the list, or a new one, which a first visit begins with.
  const CHOSEN = "#past-chats :is([aria-current], [data-is-new])";
  // Those that can be in view: a conversation opens at its end.
  const MOST = 6;
  let isKnown = false;
  /** @param {Element} message */
  const isFilled = (message) => message.textContent?.trim() !== "" || message.querySelector("img, video, audio, button") !== null;
  const arrive = () => {
    root.removeAttribute("data-arriving");
    watching.disconnect();
  };
  const look = () => {
    if (!isKnown && document.querySelector(CHOSEN)) {
      isKnown = true;
      setTimeout(arrive, LONGEST_MS);
      setTimeout(() => { if (!document.querySelector(ROWS)) arrive(); }, EMPTY_MS);
    }
    if (!document.querySelector(`${ROWS} .message-acts`) || ![...document.querySelectorAll(TEXTS)].slice(-MOST).every(isFilled)) return;
    requestAnimationFrame(() => requestAnimationFrame(arrive));
  };
  const watching = new MutationObserver(look);
  root.setAttribute("data-arriving", "");
  watching.observe(root, { childList: true, subtree: true });
  setTimeout(arrive, GIVEN_UP_MS);
})();
