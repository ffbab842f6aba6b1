// Gradio makes messages first and their texts later: at the page's opening they are shown once both are there.
(() => {
  "use strict";
  const root = document.documentElement;
  const LONGEST_MS = 3000;
  const ROWS = "#chat .message-row";
  const TEXTS = "#chat .message-row [data-testid=user], #chat .message-row [data-testid=bot]";
  const hasText = (message) => message.textContent.trim() !== "" || message.querySelector("img, video, audio, .file-container, .component") !== null;
  const arrived = () => {
    root.removeAttribute("data-arriving");
    watching.disconnect();
  };
  const look = () => {
    if (!document.querySelector(ROWS)) return;
    if ([...document.querySelectorAll(TEXTS)].slice(-6).every(hasText)) requestAnimationFrame(() => requestAnimationFrame(arrived));
  };
  root.setAttribute("data-arriving", "");
  const watching = new MutationObserver(look);
  watching.observe(root, { childList: true, subtree: true });
  setTimeout(arrived, LONGEST_MS);
})();
