// Gradio makes messages first and their texts later: at the page's opening they are shown once both are there.
(() => {
  "use strict";
  const root = document.documentElement;
  const LONGEST_MS = 2000;
  const ROWS = "#chat .message-row";
  const TEXTS = `${ROWS} [data-testid=user], ${ROWS} [data-testid=bot]`;
  // Those that can be in view: a conversation opens at its end.
  const MOST = 6;
  /** @param {Element} message */
  const isFilled = (message) => message.textContent?.trim() !== "" || message.querySelector("img, video, audio, button") !== null;
  const arrive = () => {
    root.removeAttribute("data-arriving");
    watching.disconnect();
  };
  const look = () => {
    if (!document.querySelector(`${ROWS} .message-acts`) || ![...document.querySelectorAll(TEXTS)].slice(-MOST).every(isFilled)) return;
    requestAnimationFrame(() => requestAnimationFrame(arrive));
  };
  const watching = new MutationObserver(look);
  root.setAttribute("data-arriving", "");
  watching.observe(root, { childList: true, subtree: true });
  setTimeout(arrive, LONGEST_MS);
})();
