// Simple or expert: what is for experts is hidden from others, and stays in force.
(() => {
  "use strict";
  const root = document.documentElement;
  let tell = () => {};
  const apply = (level) => {
    root.dataset.level = level === "expert" ? "expert" : "simple";
    document.dispatchEvent(new CustomEvent("choice", { detail: "level" }));
  };
  root.dataset.level = "simple";
  window.level = {
    get value() { return root.dataset.level; },
    connect(trigger, level) {
      tell = trigger;
      apply(level);
    },
    apply,
    /** @param {"simple" | "expert"} level */
    set(level) {
      apply(level);
      tell(level);
    },
  };
  document.addEventListener("click", (event) => {
    const asked = event.target.closest?.("button[data-level]");
    if (asked) window.level.set(asked.dataset.level);
  });
})();
