// A tab goes on in its chat, with what stood in the box, after a reload: Gradio makes one of its own when a message
// was sent while the program was not there.
(() => {
  "use strict";
  /** @param {() => void} act */
  const whenThere = (act) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act();
  /** @type {Record<string, string>} */
  const kept = { box: "#box textarea", place: "#place textarea, #place input" };
  /** @param {string} name */
  const valueOf = (name) => document.querySelector(/** @type {"textarea"} */ (kept[name]))?.value ?? "";
  window.addEventListener("pagehide", () => {
    for (const name of Object.keys(kept)) sessionStorage.setItem(name, valueOf(name));
  });
  window.keptPlace = () => sessionStorage.getItem("place") ?? "";
  const putBack = () => {
    const words = sessionStorage.getItem("box");
    const box = document.querySelector("#box textarea");
    if (!words) return;
    if (!box) return void setTimeout(putBack, 50);
    sessionStorage.removeItem("box");
    if (box.value) return;
    box.value = words;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  whenThere(putBack);
})();
