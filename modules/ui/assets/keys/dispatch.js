// Keys are pressed: what the table says is done, unless a text is being composed or a dialog is open.
(() => {
  "use strict";
  const isMac = /Mac|iP(hone|ad|od)/.test(navigator.platform);
  const { all, written, isPressed, isPlain } = window.keyTable;
  const FIELDS = "textarea, input:not([type=radio]):not([type=checkbox]):not([type=range]):not([type=button]), select, [contenteditable=true]";
  /** Fields that have keys of their own: those of messages, and those of the page's own parts. */
  const APART = ".edit-textarea, .chat-name, .token, #token-popover button, .html-container :is(input, textarea)";
  /** @type {Record<string, () => boolean>} */
  const PLACES = {
    anywhere: () => true,
    chat: () => isShown("scroller") && !document.activeElement?.matches(APART),
    notebook: () => isShown("notebook-tab"),
  };
  /** @param {string} id */
  const isShown = (id) => Boolean(document.getElementById(id)?.offsetParent);
  /** @param {string} selector */
  const buttonAt = (selector) => {
    const found = document.querySelector(selector);
    const button = found?.matches("button") ? found : (found?.querySelector("button") ?? found);
    return button instanceof HTMLElement ? button : null;
  };
  /** @param {string[]} selectors @returns {boolean} */
  const press = (selectors) => {
    const button = selectors.map(buttonAt).find(Boolean);
    if (!button || (button instanceof HTMLButtonElement && button.disabled)) return false;
    button.click();
    return true;
  };
  /** A key of the chat is taken there even when there is nothing to do, or Enter would send.
   * @param {KeyBinding} binding @param {KeyboardEvent} [event] @returns {boolean} */
  const isDone = (binding, event) => {
    if (binding.act) return window.keys.acts[binding.act]?.(event) !== false && binding.act in window.keys.acts;
    return press(binding.press ?? []) || binding.where === "chat";
  };
  /** @param {KeyBinding} binding @param {KeyboardEvent} event */
  const isMeant = (binding, event) =>
    Boolean(binding.where && PLACES[binding.where]()) &&
    binding.keys.some((keys) => isPressed(event, keys) && !isWritten(keys));
  /** Whether the key means what is being written: letters do in every field, arrows where there is something to move in.
   * @param {string} keys */
  const isWritten = (keys) => {
    const field = document.activeElement;
    if (!field?.matches(FIELDS)) return false;
    const isEmpty = "value" in field && field.value === "";
    return keys.includes("Arrow") ? !isEmpty : isPlain(keys);
  };
  /** @param {KeyboardEvent} event */
  const dispatch = (event) => {
    if (event.isComposing || event.keyCode === 229 || event.getModifierState("AltGraph") || window.overlay.isOpen) return;
    const isTaken = all.filter((binding) => isMeant(binding, event)).some((binding) => isDone(binding, event));
    if (!isTaken) return;
    event.preventDefault();
    event.stopPropagation();
  };
  // Behind what fields, calls and dictations do with their keys.
  const listen = () => document.addEventListener("keydown", dispatch, true);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", listen);
  else listen();

  window.keys = {
    acts: {},
    run(id) {
      const binding = all.find((each) => each.id === id);
      if (binding) isDone(binding);
    },
    of(id) {
      const binding = all.find((each) => each.id === id);
      return binding ? written(binding.keys[0], isMac, window.text) : "";
    },
    openSheet() {
      window.keys.acts.sheet?.();
    },
  };

  // What a key presses says so when it is pointed at.
  /** @param {Event} event */
  const name = (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!button || button.dataset.keys !== undefined) return;
    const binding = all.find((each) => each.press?.some((selector) => button.matches(selector) || button.closest(selector) === button));
    button.dataset.keys = binding?.id ?? "";
    if (!binding) return;
    const label = button.title || button.getAttribute("aria-label") || button.textContent?.trim() || window.text(binding.label);
    button.title = `${label} (${window.keys.of(binding.id)})`;
  };
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, name);
})();
