// What is copied is what was written, not how it is kept from being taken for HTML, nor the marks of formulas.
(() => {
  "use strict";
  const clipboard = navigator.clipboard;
  if (clipboard?.writeText) {
    const write = clipboard.writeText.bind(clipboard);
    const marks = /\u2063(?=\$|\\[[(])|(?<=[$)\]])\u2063/g;
    clipboard.writeText = (text) => write(text.replaceAll("&#60;", "<").replace(marks, ""));
  }
})();
