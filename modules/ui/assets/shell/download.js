// Clicks a download button once the page has its new file.
(() => {
  "use strict";
  window.fetchFile = (id) => {
    setTimeout(() => {
      const found = document.getElementById(id);
      (found?.matches("a, button") ? found : found?.querySelector("a, button"))?.click();
    }, 50);
  };
})();
