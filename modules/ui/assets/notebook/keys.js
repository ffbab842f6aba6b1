// Keys of the notebook: Escape stops, Ctrl with Enter writes on.
(() => {
  "use strict";
  document.addEventListener("keydown", (event) => {
    const text = document.getElementById("notebook-text");
    if (!text || !document.getElementById("notebook-tab")?.offsetParent) return;
    const press = (id) => {
      const button = document.getElementById(id);
      if (!button || button.disabled || !button.offsetParent) return;
      event.preventDefault();
      button.click();
    };
    if (event.key === "Escape") press("stop-writing");
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") press("generate");
  });
})();
