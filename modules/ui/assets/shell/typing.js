// Gradio's text fields hear keys alone, not what is pasted, deleted, dictated or composed.
(() => {
  "use strict";
  let isTyped = false;
  document.addEventListener("keypress", () => {
    isTyped = true;
    setTimeout(() => { isTyped = false; });
  }, true);
  document.addEventListener("input", (event) => {
    if (!isTyped && event.target instanceof Element && event.target.matches("[data-testid=textbox]"))
      event.target.dispatchEvent(new KeyboardEvent("keypress", { key: "Unidentified", bubbles: true }));
  });
})();
