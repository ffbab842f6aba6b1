// Pages of the settings for files of one kind: a list, a form for each, import and export. What is deleted can come back.
(() => {
  "use strict";
  const { element } = window.overlay;
  const KINDS = {
    preset: {
      suffix: ".yaml", accepts: ".yaml,.yml", create: window.text("New preset"), edit: window.text("Edit preset"),
      none: window.text("There are no presets yet."),
      hint: window.text("Sampling parameters, as `name: value`, one in a line. What is left out is neutral."), first: "temperature: 0.7\n",
    },
    grammar: {
      suffix: ".gbnf", accepts: ".gbnf,.txt", create: window.text("New grammar"), edit: window.text("Edit grammar"),
      none: window.text("There are no grammars yet."),
      hint: window.text("GBNF, with a rule called root. Replies have that form where the grammar is chosen."), first: 'root ::= "yes" | "no"\n',
    },
    lorebook: {
      suffix: ".json", accepts: ".json", create: window.text("New lorebook"), edit: window.text("Edit lorebook"),
      none: window.text("There are no lorebooks yet."), hint: "", first: "",
    },
  };

  /** @param {string} label @param {() => void} act @param {string} [kind] */
  const button = (label, act, kind = "plain") => {
    const made = element("button", { type: "button", className: `overlay-button ${kind}`, textContent: label });
    made.addEventListener("click", act);
    return made;
  };
  /** @param {string} label @param {HTMLElement} field @param {string} [hint] */
  const labelled = (label, field, hint) => element("label", {}, element("span", {}, label), field, hint && element("small", {}, hint));
  /** @param {string} text @param {string} hint @returns {FileForm} */
  const textForm = (text, hint) => {
    const field = element("textarea", { className: "file-text", value: text, rows: 14, spellcheck: false });
    return { element: labelled(window.text("Content"), field, hint), entered: () => ({ text: field.value }) };
  };
  /** @template {{error?: string}} T @param {T} answer */
  const whole = (answer) => {
    if (answer.error) throw new Error(answer.error);
    return answer;
  };
  /** @param {string} name @param {string} text */
  const download = (name, text) => {
    const link = element("a", { href: URL.createObjectURL(new Blob([text])), download: name });
    link.click();
    URL.revokeObjectURL(link.href);
  };

  window.libraryFiles = {
    manage(root, server, kind, changed) {
      const words = KINDS[kind];
      const list = element("ul", {});
      const status = element("p", { className: "file-status", role: "status" });
      const chooser = element("input", { type: "file", accept: words.accepts, multiple: true, hidden: true, "aria-label": window.text("Import") });
      /** @param {FilesAnswer} answer */
      const show = (answer) => {
        whole(answer);
        for (const each of root.querySelectorAll(".file-head button")) /** @type {HTMLButtonElement} */ (each).disabled = !answer.can_save;
        list.replaceChildren(...answer.names.map((name) => rowOf(name, answer.can_save)));
        if (!answer.names.length) list.append(element("li", { className: "none" }, words.none));
        return answer;
      };
      /** @param {unknown} error */
      const fail = (error) => { status.textContent = error instanceof Error ? error.message : String(error); };
      /** @param {() => Promise<void>} act */
      const tried = (act) => () => void act().catch(fail);
      /** @param {FileSaved} sent */
      const save = async (sent) => {
        show(await server.save(sent));
        status.textContent = window.text("Saved.");
        changed();
      };
      /** @param {string} before @param {FileRead} read */
      const open = (before, read) => {
        const name = element("input", { type: "text", value: before, maxLength: 200, required: true });
        const form = read.rows ? window.bookForm(read.rows, read.more ?? 0) : textForm(read.text, words.hint);
        const entered = () => JSON.stringify([name.value, form.entered()]);
        const first = entered();
        window.overlay.open({
          title: before ? words.edit : words.create,
          size: "large",
          content: element("div", { className: "file-form" }, labelled(window.text("Name"), name), form.element),
          focus: before ? "textarea" : "input",
          canClose: async () => entered() === first ||
            window.overlay.confirm({ title: window.text("Discard changes?"), confirm: window.text("Discard"), cancel: window.text("Keep editing"), isDangerous: true }),
          actions: [
            { label: window.text("Cancel") },
            { label: window.text("Save"), kind: "primary", act: () => save({ name: name.value, before, ...form.entered() }) },
          ],
        });
      };
      /** @param {string} name */
      const remove = async (name) => {
        const { removed = "" } = show(await server.remove(name));
        changed();
        status.replaceChildren(window.text("Deleted “{name}”.", { name }), " ",
          button(window.text("Undo"), tried(() => save({ name, text: removed }))));
      };
      /** @param {string} name */
      const duplicate = async (name) => {
        const { text } = whole(await server.read(name));
        await save({ name: `${name} (${window.text("copy")})`, text });
      };
      const take = async () => {
        for (const file of chooser.files ?? []) await save({ name: file.name.replace(/\.[^.]+$/, ""), text: await file.text() });
        chooser.value = "";
      };
      /** @param {string} name @param {boolean} canSave */
      const rowOf = (name, canSave) =>
        element("li", {}, element("strong", {}, name), element("div", { className: "file-acts" },
          ...(canSave ? [button(window.text("Edit"), tried(async () => open(name, whole(await server.read(name))))), button(window.text("Duplicate"), tried(() => duplicate(name)))] : []),
          button(window.text("Export"), tried(async () => download(name + words.suffix, whole(await server.read(name)).text))),
          canSave && button(window.text("Delete"), tried(() => remove(name)))));
      chooser.addEventListener("change", tried(take));
      root.replaceChildren(
        element("div", { className: "file-head" },
          button(words.create, () => open("", { text: words.first, rows: kind === "lorebook" ? [] : undefined }), "primary"),
          button(window.text("Import…"), () => chooser.click()), chooser),
        list, status);
      server.files().then(show).catch(fail);
    },
  };
})();
