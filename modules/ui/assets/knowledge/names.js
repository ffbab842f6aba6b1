// `#` in the message box: a list of the collections whose names begin like what follows it.
(() => {
  "use strict";
  const LIST = "knowledge-names";
  /** @type {HTMLUListElement | null} */
  let list = null;
  let chosen = 0;

  const box = () => /** @type {HTMLTextAreaElement | null} */ (document.querySelector("#box textarea"));

  /** The name that is being written, and where it begins. @param {HTMLTextAreaElement} area */
  const written = (area) => {
    const before = area.value.slice(0, area.selectionStart);
    const found = /(?:^|[\s("'])#([^\s#]*)$/.exec(before);
    return found ? { name: found[1], start: before.length - found[1].length } : null;
  };

  const close = () => {
    list?.remove();
    list = null;
    const area = box();
    area?.removeAttribute("aria-activedescendant");
    area?.removeAttribute("aria-controls");
  };

  /** @param {string} name */
  const take = (name) => {
    const area = box();
    const place = area && written(area);
    close();
    if (!area || !place) return;
    area.setRangeText(`${name} `, place.start, area.selectionStart, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
    area.focus();
  };

  const mark = () => {
    [...(list?.children ?? [])].forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === chosen));
      if (index === chosen) option.scrollIntoView({ block: "nearest" });
    });
    box()?.setAttribute("aria-activedescendant", `${LIST}-${chosen}`);
  };

  /** @param {string[]} found */
  const open = (found) => {
    const area = box();
    const composer = document.getElementById("box");
    if (!area || !composer) return;
    close();
    list = document.createElement("ul");
    list.id = LIST;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", window.text("Knowledge collections"));
    list.append(...found.map((name, index) => {
      const option = document.createElement("li");
      option.id = `${LIST}-${index}`;
      option.setAttribute("role", "option");
      option.textContent = `#${name}`;
      option.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        take(name);
      });
      return option;
    }));
    const place = composer.getBoundingClientRect();
    Object.assign(list.style, { left: `${place.left + 8}px`, bottom: `${window.innerHeight - place.top + 4}px` });
    document.body.append(list);
    area.setAttribute("aria-controls", LIST);
    chosen = 0;
    mark();
  };

  /** @param {boolean} asks whether the server is asked for names that are new */
  const look = (asks) => {
    const area = box();
    const place = area && written(area);
    if (!place) return close();
    if (asks && !place.name) window.knowledge.refresh();
    const begun = place.name.toLowerCase();
    const found = window.knowledge.names.filter((name) => name.toLowerCase().startsWith(begun) && name !== place.name);
    if (found.length) open(found.slice(0, 8));
    else close();
  };

  document.addEventListener("input", (event) => {
    if (event.target === box()) look(true);
  });
  document.addEventListener("knowledge-names", () => {
    if (document.activeElement === box() && !list) look(false);
  });
  document.addEventListener("focusout", (event) => {
    if (event.target === box()) close();
  });
  document.addEventListener("keydown", (event) => {
    if (!list || event.target !== box() || event.isComposing) return;
    const count = list.children.length;
    const moves = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: count - 1 });
    if (event.key in moves) {
      chosen = (chosen + moves[event.key]) % count;
      mark();
    } else if (event.key === "Enter" || event.key === "Tab") {
      take((list.children[chosen].textContent ?? "").slice(1));
    } else if (event.key === "Escape") {
      close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }, true);
})();
