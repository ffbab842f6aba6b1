// Simple or expert: what is for experts is hidden from others, and stays in force.
(() => {
  "use strict";
  const root = document.documentElement;
  /** @type {(level: Level) => void} */
  let tell = () => {};
  /** @param {string} level */
  const apply = (level) => {
    root.dataset.level = level === "expert" ? "expert" : "simple";
    document.dispatchEvent(new CustomEvent("choice", { detail: "level" }));
  };
  root.dataset.level = "simple";
  window.level = {
    get value() { return root.dataset.level ?? "simple"; },
    connect(trigger, level) {
      tell = trigger;
      apply(level);
    },
    apply,
    set(level) {
      apply(level);
      tell(level);
    },
  };
  document.addEventListener("click", (event) => {
    const asked = event.target?.closest?.("button[data-level]");
    if (asked) window.level.set(asked.dataset.level === "expert" ? "expert" : "simple");
  });
})();
