// The entries of a lorebook: which words bring which text into the prompt.
(() => {
  "use strict";
  const { element } = window.overlay;
  const ORDER = 100;
  /** @type {BookRow} */
  const EMPTY = [true, "", "", "", false, ORDER, -1];

  /** @param {string} label @param {HTMLElement} field @param {string} [hint] */
  const labelled = (label, field, hint) => element("label", {}, element("span", {}, label), field, hint && element("small", {}, hint));
  /** @param {string} label @param {boolean} isOn */
  const tick = (label, isOn) => {
    const box = element("input", { type: "checkbox", checked: isOn });
    return { box, shown: element("label", { className: "tick" }, box, element("span", {}, label)) };
  };
  /** @param {BookRow} row @param {boolean} isOpen */
  const entryOf = (row, isOpen) => {
    const [isOn, title, keys, content, isAlways, order, number] = row;
    const name = element("input", { type: "text", value: title });
    const words = element("input", { type: "text", value: keys });
    const text = element("textarea", { value: content, rows: 5 });
    const place = element("input", { type: "number", value: String(order) });
    const on = tick(window.text("On"), isOn);
    const always = tick(window.text("Always, without any key"), isAlways);
    const summary = element("summary", {});
    const tell = () => { summary.textContent = name.value || words.value || window.text("New entry"); };
    const remove = element("button", { type: "button", className: "overlay-button plain", textContent: window.text("Delete entry") });
    const made = element("details", { open: isOpen }, summary,
      labelled(window.text("Name"), name), labelled(window.text("Keys"), words, window.text("Separated by commas.")),
      labelled(window.text("Content"), text), labelled(window.text("Order"), place, window.text("Higher ones stand later in the prompt.")),
      element("div", { className: "ticks" }, on.shown, always.shown, remove));
    for (const field of [name, words]) field.addEventListener("input", tell);
    remove.addEventListener("click", () => {
      made.remove();
      entries.delete(made);
    });
    tell();
    /** @type {() => BookRow} */
    const entered = () => [on.box.checked, name.value, words.value, text.value, always.box.checked, Number(place.value), number];
    entries.set(made, entered);
    return made;
  };
  /** What each entry says, by its element.
   * @type {Map<HTMLElement, () => BookRow>} */
  let entries = new Map();

  window.bookForm = (rows, more) => {
    entries = new Map();
    const list = element("div", { className: "book-entries" }, ...(rows.length ? rows : [EMPTY]).map((row) => entryOf(row, rows.length < 2)));
    const add = element("button", { type: "button", className: "overlay-button plain", textContent: window.text("Add entry") });
    add.addEventListener("click", () => {
      const made = entryOf(EMPTY, true);
      list.append(made);
      made.querySelector("input")?.focus();
    });
    const note = more ? element("p", { className: "hint" }, window.text("{count} further entries are kept as they are.", { count: more })) : null;
    return { element: element("div", {}, list, add, note), entered: () => ({ rows: [...entries.values()].map((each) => each()) }) };
  };
})();
