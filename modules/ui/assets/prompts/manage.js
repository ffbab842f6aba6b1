// The section Prompts of the settings: the library as a list, and a form for each prompt.
(() => {
  "use strict";
  const { element } = window.overlay;
  const NEW = { id: "", name: "", description: "", tags: [], text: "" };

  /** @param {string} label @param {HTMLElement} field @param {string} [hint] */
  const labelled = (label, field, hint) =>
    element("label", {}, element("span", {}, label), field, hint && element("small", {}, hint));
  /** @param {string} label @param {() => void} act @param {string} [kind] */
  const button = (label, act, kind = "plain") => {
    const made = element("button", { type: "button", className: `overlay-button ${kind}`, textContent: label });
    made.addEventListener("click", act);
    return made;
  };

  /** @param {LibraryPrompt} prompt @param {(prompt: LibraryPrompt) => Promise<void>} save */
  const edit = (prompt, save) => {
    const name = element("input", { type: "text", value: prompt.name, maxLength: 100, required: true });
    const description = element("input", { type: "text", value: prompt.description });
    const tags = element("input", { type: "text", value: prompt.tags.join(", ") });
    const text = element("textarea", { value: prompt.text, rows: 8 });
    const fields = [name, description, tags, text];
    const before = fields.map((each) => each.value).join("\n");
    window.overlay.open({
      title: prompt.id ? window.text("Edit prompt") : window.text("New prompt"),
      content: element("div", {},
        labelled(window.text("Name"), name),
        labelled(window.text("Description"), description),
        labelled(window.text("Tags"), tags, window.text("Separated by commas.")),
        labelled(window.text("Text"), text, window.text("Variables: {examples}", { examples: "{{topic}}, {{tone:select:dry,warm}}, {{text:long}}" }))),
      canClose: async () => fields.map((each) => each.value).join("\n") === before ||
        window.overlay.confirm({ title: window.text("Discard changes?"), confirm: window.text("Discard"), cancel: window.text("Keep editing"), isDangerous: true }),
      actions: [
        { label: window.text("Cancel") },
        {
          label: window.text("Save"), kind: "primary",
          act: () => save({ ...prompt, name: name.value, description: description.value, text: text.value,
            tags: tags.value.split(",").map((each) => each.trim()).filter(Boolean) }),
        },
      ],
    });
  };

  window.prompts.manage = (root, server) => {
    const search = element("input", { type: "search", placeholder: window.text("Search prompts"), "aria-label": window.text("Search prompts") });
    const list = element("ul", { className: "prompt-list" });
    const status = element("p", { className: "prompt-status", role: "status" });
    const problems = element("div", { className: "prompt-problems", role: "alert" });
    /** @type {LibraryPrompt[]} */
    let prompts = [];
    /** @param {PromptAnswer} answer */
    const show = (answer) => {
      if (answer.error) throw new Error(answer.error);
      prompts = answer.prompts;
      problems.replaceChildren(...answer.problems.map((each) => element("p", {}, each)));
      draw();
    };
    /** @param {LibraryPrompt} prompt */
    const save = async (prompt) => {
      show(await server.save(prompt));
      status.textContent = window.text("Saved.");
    };
    /** @param {LibraryPrompt} prompt */
    const remove = async (prompt) => {
      try {
        show(await server.remove(prompt.id));
        status.replaceChildren(window.text("Deleted “{name}”.", { name: prompt.name }), " ",
          button(window.text("Undo"), () => save(prompt).catch(fail)));
      } catch (error) {
        fail(error);
      }
    };
    /** @param {unknown} error */
    const fail = (error) => { status.textContent = error instanceof Error ? error.message : String(error); };
    /** @param {LibraryPrompt} prompt */
    const rowOf = (prompt) =>
      element("li", {},
        element("div", {},
          element("strong", {}, prompt.name), ...prompt.tags.map((tag) => element("span", { className: "prompt-tag" }, tag)),
          element("p", {}, prompt.description || prompt.text.slice(0, 160))),
        element("div", { className: "prompt-acts" }, button(window.text("Use"), () => {
          window.sections.show("chat-tab");
          window.prompts.insert(prompt);
        }),
        button(window.text("Edit"), () => edit(prompt, save)),
        button(window.text("Delete"), () => remove(prompt))));
    const draw = () => {
      const typed = search.value.trim();
      const shown = prompts.filter((each) => window.fuzzy.score(`${each.name} ${each.description} ${each.tags.join(" ")}`, typed) > 0);
      list.replaceChildren(...shown.map(rowOf));
      if (!shown.length) list.append(element("li", { className: "none" }, prompts.length ? window.text("Nothing found.") : window.text("There are no prompts yet.")));
    };
    search.addEventListener("input", draw);
    root.replaceChildren(
      element("div", { className: "prompt-head" }, search, button(window.text("New prompt"), () => edit({ ...NEW }, save), "primary")),
      problems, list, status);
    server.prompts().then(show).catch(fail);
  };
})();
