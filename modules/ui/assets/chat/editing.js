// A message that is edited: the whole of it in one field, with keys and buttons that say what they do.
(() => {
  "use strict";
  const FIELD = "#chat .edit-textarea";
  const FRAMES = 8;
  /** @typedef {HTMLTextAreaElement} Field */
  const LABELS = { Submit: "Save", Cancel: "Cancel" };
  /** @param {Field} field @param {string} label @returns {HTMLElement | null} */
  const button = (field, label) =>
    field.closest(".message-row")?.querySelector(`.message-buttons button[aria-label="${label}"]`) ?? null;
  /** @param {Field} field */
  const fit = (field) => {
    if (CSS.supports("field-sizing", "content")) return;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  };
  // Messages get their true height only when they come into view, which moves those below.
  /** @param {Element | null} row @param {number} frames */
  const show = (row, frames) => {
    row?.scrollIntoView({ block: "nearest" });
    if (row && frames > 0) requestAnimationFrame(() => show(row, frames - 1));
  };
  // The user's own words are sent anew as well: what followed them stays with the version before.
  /** @param {Field} field */
  const sendAnew = (field) => {
    const index = window.chatPage.indexOf(field.closest(".message-row")?.querySelector(".message-buttons"));
    const text = field.value;
    button(field, "Cancel")?.click();
    window.chatPage.resend({ index, text });
  };
  /** @param {Field} field */
  const isOwn = (field) => field.closest(".user-row") !== null;
  /** @param {Field} field */
  const offerSending = (field) => {
    const save = button(field, "Save");
    if (!isOwn(field) || !save || save.parentElement?.querySelector("[data-says='Save & send']")) return;
    const made = Object.assign(document.createElement("button"), { type: "button", title: window.text("Save & send (Ctrl+Enter)") });
    made.dataset.says = "Save & send";
    made.setAttribute("aria-label", window.text("Save & send"));
    made.addEventListener("click", () => sendAnew(field));
    save.before(made);
    save.title = "Save";
  };
  /** @param {Field} field */
  const prepare = (field) => {
    for (const [was, label] of Object.entries(LABELS)) {
      const found = button(field, was);
      if (!found || found.dataset.says) continue;
      found.setAttribute("aria-label", label);
      found.title = `${label} (${label === "Save" ? "Ctrl+Enter" : "Esc"})`;
      found.dataset.says = label;
    }
    offerSending(field);
    const row = field.closest(".message-row");
    if (row) row.dataset.editing = "";
    if (field.dataset.isPrepared) return;
    field.dataset.isPrepared = "";
    field.setAttribute("aria-label", window.text("Text of the message"));
    fit(field);
    field.focus({ preventScroll: true });
    field.setSelectionRange(0, 0);
    field.scrollTop = 0;
    show(row, FRAMES);
  };
  const look = () => {
    for (const row of document.querySelectorAll("#chat .message-row[data-editing]")) if (!row.querySelector(".edit-textarea")) delete row.dataset.editing;
    /** @type {NodeListOf<Field>} */ (document.querySelectorAll(FIELD)).forEach(prepare);
  };
  const watch = () => {
    const chat = document.getElementById("chat");
    if (!chat) return void setTimeout(watch, 50);
    new MutationObserver(look).observe(chat, { childList: true, subtree: true });
  };
  document.addEventListener("input", (event) => {
    if (event.target instanceof HTMLTextAreaElement && event.target.matches(FIELD)) fit(event.target);
  });
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLTextAreaElement) || !field.matches(FIELD) || event.isComposing) return;
    const saves = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (!saves && event.key !== "Escape") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const row = field.closest(".message-row");
    if (saves && isOwn(field)) sendAnew(field);
    else button(field, saves ? "Save" : "Cancel")?.click();
    row?.focus({ preventScroll: true });
  }, true);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
