// A prompt of the library is chosen, its variables are asked for, and it stands in the field, not sent.
(() => {
  "use strict";
  const { element } = window.overlay;
  const box = () => document.querySelector("#box textarea");

  /** @param {HTMLTextAreaElement} field @param {string} text */
  const write = (field, text) => {
    const { value, selectionStart, selectionEnd } = field;
    const isFresh = !value.trim() || value.trim() === "/" || field.closest("#system-message");
    field.value = isFresh ? text : value.slice(0, selectionStart) + text + value.slice(selectionEnd);
    const end = isFresh ? text.length : selectionStart + text.length;
    for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
    field.focus();
    field.setSelectionRange(end, end);
  };
  /** @param {PromptVariable} variable */
  const fieldOf = ({ name, kind, choices }) => {
    if (kind === "long") return element("textarea", { name, rows: 4 });
    if (kind === "select") return element("select", { name }, ...choices.map((each) => element("option", { value: each }, each)));
    return element("input", { type: "text", name, autocomplete: "off" });
  };
  /** @param {LibraryPrompt} prompt @param {HTMLTextAreaElement | null} [target] */
  const insert = (prompt, target = box()) => {
    if (!target) return;
    const variables = window.promptText.variables(prompt.text);
    if (!variables.length) return write(target, prompt.text);
    const form = element("form", { className: "prompt-form" },
      ...variables.map((each) => element("label", {}, element("span", {}, each.name), fieldOf(each))));
    /** @type {Record<string, string> | null} */
    let values = null;
    const take = () => {
      values = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    };
    const handle = window.overlay.open({
      title: prompt.name, content: form,
      actions: [
        { label: window.text("Cancel") },
        { label: window.text("Insert"), kind: "primary", act: take },
      ],
      onClose: () => {
        if (values) write(target, window.promptText.filled(prompt.text, values));
      },
    });
    const submit = () => {
      take();
      handle.close();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    form.addEventListener("keydown", (event) => {
      const isLine = event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey;
      if (event.key !== "Enter" || !isLine || event.isComposing) return;
      event.preventDefault();
      submit();
    });
  };

  /** @param {HTMLTextAreaElement} target */
  const entries = async (target) => {
    const { prompts, problems } = await window.palette.things();
    return [
      ...prompts.map((prompt) => ({
        id: prompt.id, label: prompt.name, detail: prompt.description, words: `${prompt.description} ${prompt.tags.join(" ")}`,
        act: () => insert(prompt, target),
      })),
      ...problems.map((problem) => ({ id: problem, label: window.text("A file is damaged"), detail: problem, act: () => window.sections.show("prompts-tab") })),
      ...(prompts.length ? [] : [{ id: "none", label: window.text("There are no prompts yet"), detail: window.text("Write one in Settings → Prompts."), act: () => window.sections.show("prompts-tab") }]),
    ];
  };
  /** @param {HTMLTextAreaElement} target */
  const choose = (target) =>
    window.palette.open("", {
      title: window.text("Insert a prompt"),
      sources: [{ id: "prompt", title: "Prompts", entries: () => entries(target) }],
    });

  window.palette.add({ id: "prompt", title: "Prompts", entries: async () => {
    const field = box();
    return field ? (await entries(field)).filter((each) => each.id !== "none") : [];
  } });
  // A slash alone in the box asks for a prompt; who dismisses the menu has the slash.
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!(event instanceof InputEvent) || event.isComposing || event.data !== "/") return;
    if (field instanceof HTMLTextAreaElement && field.matches("#box textarea") && field.value === "/") choose(field);
  });
  document.addEventListener("click", (event) => {
    const asked = event.target instanceof Element ? event.target.closest("[data-prompts-for]") : null;
    const field = asked && document.querySelector(`#${asked.dataset.promptsFor} textarea`);
    if (field) choose(field);
  });
  window.prompts = { choose, insert, manage: () => {} };
})();
