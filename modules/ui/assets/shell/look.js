// Light or dark, as chosen, else as the system has it; and how densely things stand.
(() => {
  "use strict";
  const root = document.documentElement;
  const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");
  const chosenLook = () => localStorage.getItem("look") ?? window.preferredLook;
  const isDark = () => chosenLook() === "dark" || (chosenLook() === "system" && systemIsDark.matches);
  const wear = () => {
    root.style.colorScheme = isDark() ? "dark" : "light";
    document.body?.classList.toggle("dark", isDark());
  };
  wear();
  // The body is not there yet when this is read: it gets its look with its first child, before anything is painted.
  if (!document.body)
    new MutationObserver((_, watching) => {
      if (!document.body) return;
      watching.disconnect();
      wear();
    }).observe(root, { childList: true });
  systemIsDark.addEventListener("change", wear);
  window.wearLook = (look) => {
    localStorage.setItem("look", look);
    wear();
    show();
  };

  const density = () => localStorage.getItem("density") ?? "comfortable";
  root.dataset.density = density();

  // ---- The choices in the settings.
  /** @type {Record<string, () => string | undefined>} */
  const values = { look: chosenLook, language: () => window.language.chosen, density, level: () => window.level?.value };
  /** @type {Record<string, (value: string) => void>} */
  const acts = {
    look: window.wearLook,
    language: window.chooseLanguage,
    density(value) {
      localStorage.setItem("density", value);
      root.dataset.density = value;
    },
    level: (value) => window.level.set(value === "expert" ? "expert" : "simple"),
  };
  const show = () => {
    for (const each of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[data-choice]")))
      each.checked = each.value === values[each.dataset.choice ?? ""]?.();
  };
  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field instanceof HTMLInputElement && field.dataset.choice) acts[field.dataset.choice]?.(field.value);
  });
  document.addEventListener("choice", show);
  document.addEventListener("section", () => requestAnimationFrame(show));
  const watch = () =>
    new MutationObserver((changes) => {
      const added = changes.flatMap((each) => [...each.addedNodes]);
      if (added.some((node) => node instanceof Element && node.querySelector("input[data-choice]"))) show();
    }).observe(document.body, { childList: true, subtree: true });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
