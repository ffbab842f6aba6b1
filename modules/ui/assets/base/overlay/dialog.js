// Dialogs, sheets and the palette's frame: native <dialog>, which traps the focus, makes the rest inert and gives the
// focus back. On a phone each of them is a sheet at the lower edge.
(() => {
  "use strict";
  /** @type {OverlayHandle[]} */
  const stack = [];

  /**
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag
   * @param {Record<string, unknown>} [properties]
   * @param {(Node | string | null | undefined | false)[]} children
   * @returns {HTMLElementTagNameMap[Tag]}
   */
  const element = (tag, properties = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (value === undefined || value === null || value === false) continue;
      if (name in made && !name.startsWith("aria")) Object.assign(made, { [name]: value });
      else made.setAttribute(name, String(value));
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  };

  /** @param {HTMLElement} body @param {OverlayContent | undefined} content @param {OverlayHandle} handle */
  const fill = (body, content, handle) => {
    const made = typeof content === "function" ? content(body, handle) : content;
    if (made instanceof Node || typeof made === "string") body.append(made);
  };

  /** @param {OverlayAction} action @param {OverlayHandle} handle @param {HTMLElement} complaint */
  const button = (action, handle, complaint) => {
    const made = element("button", {
      type: "button", className: `overlay-button ${action.kind ?? "plain"}`, textContent: action.label, disabled: action.disabled,
    });
    made.addEventListener("click", async () => {
      complaint.textContent = "";
      made.disabled = true;
      try {
        if ((await action.act?.(handle)) !== false) handle.close(action.value ?? action.label);
      } catch (error) {
        complaint.textContent = error instanceof Error ? error.message : String(error);
      } finally {
        made.disabled = false;
      }
    });
    return made;
  };

  /** What is outside of the frame belongs to the dialog, too: a press there that also ends there closes it.
   * @param {HTMLDialogElement} dialog @param {() => void} dismiss */
  const closeBeside = (dialog, dismiss) => {
    let isBeside = false;
    dialog.addEventListener("pointerdown", (event) => { isBeside = event.target === dialog; });
    dialog.addEventListener("click", (event) => {
      if (isBeside && event.target === dialog) dismiss();
    });
  };

  /** @param {OverlayOptions} options @param {() => void} dismiss @param {string} id */
  const header = (options, dismiss, id) => {
    const close = element("button", { type: "button", className: "overlay-close", title: window.text("Close (Esc)"), "aria-label": window.text("Close") });
    close.append("✕");
    close.addEventListener("click", dismiss);
    return element("header", {}, element("h2", { id, textContent: options.title }), close);
  };

  /** @param {OverlayOptions} options @returns {OverlayHandle} */
  const open = (options) => {
    const kind = options.kind ?? "dialog";
    const id = `overlay-${crypto.randomUUID?.() ?? Math.random().toString(36).slice(2)}`;
    const body = element("div", { className: "overlay-body" });
    const complaint = element("p", { className: "overlay-error", role: "alert" });
    const dialog = element("dialog", { className: `overlay ${kind} ${options.size ?? "medium"} ${options.className ?? ""}` });
    const before = document.activeElement;
    /** @type {(value: unknown) => void} */
    let settle = () => {};
    const closed = new Promise((resolve) => { settle = resolve; });
    /** @type {unknown} */
    let result;
    /** @type {OverlayHandle} */
    const handle = {
      dialog, body, closed,
      close(value) {
        if (!dialog.open) return;
        result = value;
        dialog.close();
      },
      fail(message) { complaint.textContent = message; },
    };
    const dismiss = async () => {
      if (options.canClose && !(await options.canClose(handle))) return;
      handle.close();
    };
    const frame = element("div", { className: "overlay-frame" });
    if (kind === "palette") dialog.setAttribute("aria-label", options.title);
    else {
      dialog.setAttribute("aria-labelledby", id);
      frame.append(header(options, dismiss, id));
    }
    frame.append(body, complaint);
    if (options.actions?.length) frame.append(element("div", { className: "overlay-actions" }, ...options.actions.map((each) => button(each, handle, complaint))));
    dialog.append(frame);
    dialog.addEventListener("cancel", (event) => {
      // A file dialog that is cancelled says so, too.
      if (event.target !== dialog) return;
      event.preventDefault();
      dismiss();
    });
    dialog.addEventListener("close", () => {
      stack.splice(stack.indexOf(handle), 1);
      dialog.remove();
      if (before instanceof HTMLElement && !before.isConnected) document.querySelector(".overlay[open], #box textarea")?.focus();
      options.onClose?.(result);
      settle(result);
    });
    closeBeside(dialog, dismiss);
    fill(body, options.content, handle);
    document.body.append(dialog);
    stack.push(handle);
    dialog.showModal();
    const first = options.focus ? dialog.querySelector(options.focus) : body.querySelector("input, textarea, select, [autofocus]");
    if (first instanceof HTMLElement) first.focus();
    return handle;
  };

  /** @param {OverlayQuestion} question @returns {Promise<boolean>} */
  const confirm = async (question) => {
    const handle = open({
      title: question.title,
      size: "small",
      className: "question",
      content: question.text ? element("p", { textContent: question.text }) : undefined,
      focus: ".overlay-actions button:last-of-type",
      actions: [
        { label: question.cancel ?? "Cancel", value: false },
        { label: question.confirm ?? "OK", value: true, kind: question.isDangerous ? "danger" : "primary" },
      ],
    });
    return (await handle.closed) === true;
  };

  window.overlay = {
    open,
    confirm,
    element,
    menu: () => { throw new Error("the menu is not there yet"); },
    get isOpen() { return stack.length > 0 || Boolean(document.querySelector(".overlay-menu:popover-open")); },
    get top() { return stack.at(-1) ?? null; },
    closeAll() { for (const each of [...stack].reverse()) each.close(); },
  };
})();
