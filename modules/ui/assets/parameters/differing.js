// Marks the parameters that are not as the chosen preset has them, and the tab that they are on.
(() => {
  "use strict";
  const idOf = (/** @type {string} */ name) => `parameter-${name.replaceAll("_", "-")}`;
  /** @param {string | undefined} value names, as JSON */
  const apply = (value) => {
    /** @type {Set<string>} */
    const ids = new Set(JSON.parse(value || "[]").map(idOf));
    for (const each of document.querySelectorAll("#inspector [id^=parameter-]")) each.toggleAttribute("data-differs", ids.has(each.id));
    for (const each of document.querySelectorAll("#inspector-sampling-button")) {
      each.toggleAttribute("data-differs", ids.size > 0);
      each.setAttribute("title", ids.size ? window.text("Some parameters differ from the preset") : "");
    }
  };
  window.differing = { apply };
  // What the tab would say, which is not made before it is shown.
  const begin = () => {
    if (!document.querySelector("#inspector-sampling-button")) return setTimeout(begin, 50);
    const told = window.gradio_config.components.find((each) => each.props.elem_id === "parameters-differing");
    apply(told?.props.value);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
