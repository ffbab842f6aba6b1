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
  // While a reply is written nothing can be changed: what was entered stays where it is, until it can.
  const isBusy = () => document.querySelector("#box .stop-button") !== null;
  /** @param {Field} field */
  const sayBusy = (field) => {
    if (field.nextElementSibling?.matches(".edit-hint")) return;
    const hint = Object.assign(document.createElement("p"), { className: "edit-hint", role: "status" });
    hint.textContent = window.text("A reply is being written. Stop it, or save this when it is complete.");
    field.after(hint);
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
  // ---- What is edited belongs to its chat: it is put away when another one is shown, and is there again with it.
  const STORE = "edited";
  // Where it was begun: Gradio has the message of the same number edited in whatever chat is shown.
  let begun = "";
  const chatShown = () => {
    const place = /** @type {Field | HTMLInputElement | null} */ (document.querySelector("#place textarea, #place input"));
    const { character = null, chat = "" } = JSON.parse(place?.value || "{}");
    return JSON.stringify([character, chat]);
  };
  /** By chat: which of its messages, and what it says so far.
   * @returns {Record<string, { index: number, text: string }>} */
  const kept = () => JSON.parse(sessionStorage.getItem(STORE) ?? "{}");
  /** @param {{ index: number, text: string } | null} entry of the chat in which it was begun */
  const keep = (entry) => {
    const all = kept();
    delete all[begun];
    if (entry) all[begun] = entry;
    sessionStorage.setItem(STORE, JSON.stringify(all));
  };
  const bars = () => [...document.querySelectorAll("#chat .message-buttons")];
  /** @param {Element} field */
  const barOf = (field) => field.closest(".message-row")?.querySelector(".message-buttons") ?? null;
  /** @param {Field} field */
  const note = (field) => {
    const index = bars().findIndex((each) => each === barOf(field));
    if (index >= 0) keep({ index, text: field.value });
  };
  const fields = () => [.../** @type {NodeListOf<Field>} */ (document.querySelectorAll(FIELD))];
  const putAway = () => {
    if (begun !== chatShown()) for (const field of fields()) button(field, "Cancel")?.click();
    const entry = kept()[chatShown()];
    const bar = entry && !fields().length ? bars()[entry.index] : null;
    /** @type {HTMLElement | null | undefined} */ (bar?.querySelector('button[aria-label="Edit"]'))?.click();
  };
  document.addEventListener("chatshown", () => requestAnimationFrame(() => requestAnimationFrame(putAway)));
  /** @param {Field} field */
  const restore = (field) => {
    const entry = kept()[begun];
    if (!entry || bars()[entry.index] !== barOf(field)) return;
    field.value = entry.text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest('#chat button[aria-label="Edit"]')) begun = chatShown();
    const pressed = /** @type {HTMLElement | null | undefined} */ (target?.closest("#chat [data-says]"));
    const field = /** @type {Field | null | undefined} */ (pressed?.closest(".message-row")?.querySelector(FIELD));
    if (!pressed || !field || !event.isTrusted) return;
    if (!isBusy() || pressed.dataset.says === "Cancel") return keep(null);
    event.preventDefault();
    event.stopImmediatePropagation();
    sayBusy(field);
  }, true);

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
    if (begun !== chatShown()) return void button(field, "Cancel")?.click();
    const row = field.closest(".message-row");
    if (row) row.dataset.editing = "";
    if (field.dataset.isPrepared) return;
    field.dataset.isPrepared = "";
    field.setAttribute("aria-label", window.text("Text of the message"));
    // Gradio writes the message into it a moment after it is there.
    requestAnimationFrame(() => restore(field));
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
    if (!(event.target instanceof HTMLTextAreaElement) || !event.target.matches(FIELD)) return;
    fit(event.target);
    note(event.target);
  });
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLTextAreaElement) || !field.matches(FIELD) || event.isComposing) return;
    const saves = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    if (!saves && event.key !== "Escape") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (saves && isBusy()) return sayBusy(field);
    const row = field.closest(".message-row");
    keep(null);
    if (saves && isOwn(field)) sendAnew(field);
    else button(field, saves ? "Save" : "Cancel")?.click();
    row?.focus({ preventScroll: true });
  }, true);
  // A phone's keyboard takes half of the window, a turned one has another height: what is written stays in view.
  window.addEventListener("resize", () => {
    const field = document.activeElement;
    if (field?.matches(FIELD)) field.scrollIntoView({ block: "nearest" });
  });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
