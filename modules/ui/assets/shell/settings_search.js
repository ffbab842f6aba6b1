// Searches all settings by what they say, also on pages that have not been shown yet.
(() => {
  "use strict";
  const MOST = 12;
  const FRAMES = 90;
  /** @type {{page: string, title: string, id: string, words: string}[] | null} */
  let index = null;
  /** @param {unknown} text */
  const clean = (text) => String(text ?? "").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim();
  const read = () => {
    const { components, layout } = window.gradio_config;
    const by = new Map(components.map((each) => [each.id, each]));
    /** @type {{page: string, title: string, id: string, words: string}[]} */
    const found = [];
    /** @param {GradioLayout} node @param {string} page */
    const walk = (node, page) => {
      const component = by.get(node.id);
      if (page && component) {
        const { props, type } = component;
        const title = clean(type === "button" ? props.value : props.label);
        if (title && props.visible !== false && type !== "tabitem" && type !== "tabs")
          found.push({ page, title, id: props.elem_id || `component-${component.id}`, words: `${title} ${clean(props.info)}`.toLowerCase() });
      }
      for (const child of node.children ?? []) walk(child, page);
    };
    /** @param {GradioLayout} node */
    const seek = (node) => {
      const name = by.get(node.id)?.props?.elem_id;
      if (name && document.querySelector(`#settings-list [data-section="${name}"]`)) walk(node, name);
      else (node.children ?? []).forEach(seek);
    };
    seek(layout);
    return found;
  };
  /** @param {string} id @param {number} frames @returns {void} */
  const point = (id, frames) => {
    const element = document.getElementById(id);
    if (!element?.offsetParent) return void (frames > 0 && requestAnimationFrame(() => point(id, frames - 1)));
    element.closest("#settings-pages > .tabitem")?.querySelectorAll("button.label-wrap:not(.open)").forEach((each) => {
      if (each.parentElement?.contains(element)) each.click();
    });
    element.scrollIntoView({ block: "center" });
    element.classList.add("is-found");
    element.querySelector("input, textarea, button")?.focus({ preventScroll: true });
    setTimeout(() => element.classList.remove("is-found"), 2000);
  };
  /** @param {HTMLInputElement} field */
  const search = (field) => {
    const list = field.closest("nav");
    const words = field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    index ??= read();
    const hits = words.length ? index.filter((each) => words.every((word) => each.words.includes(word))) : [];
    const place = list?.querySelector(".found");
    if (!list || !place) return;
    place.replaceChildren();
    const pages = [...list.querySelectorAll(".pages .section")];
    for (const each of pages) {
      const isNamed = words.every((word) => each.textContent?.toLowerCase().includes(word));
      each.hidden = words.length > 0 && !isNamed && !hits.some((hit) => hit.page === each.dataset.section);
    }
    if (words.length && !hits.length && pages.every((each) => each.hidden)) place.textContent = window.text("No setting is called that.");
    for (const hit of hits.slice(0, MOST)) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "hit", textContent: hit.title });
      const page = pages.find((each) => each.dataset.section === hit.page);
      button.append(Object.assign(document.createElement("small"), { textContent: page?.textContent?.trim() ?? "" }));
      button.addEventListener("click", () => {
        if (page?.classList.contains("expert") && window.level.value !== "expert") window.level.set("expert");
        window.sections.show(hit.page);
        point(hit.id, FRAMES);
      });
      place.append(button);
    }
  };
  document.addEventListener("input", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.id === "settings-search") search(event.target);
  });
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (event.key !== "Escape" || !(field instanceof HTMLInputElement) || field.id !== "settings-search" || !field.value) return;
    field.value = "";
    search(field);
    event.stopImmediatePropagation();
  }, true);
})();
