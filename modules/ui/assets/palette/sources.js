// What the palette finds.
(() => {
  "use strict";
  const { palette } = window;
  const WAIT = 50;
  const TRIES = 40;
  /** What the server knows, asked for once for each time that the palette is opened.
   * @type {{ at: number, things: Promise<PaletteThings> } | null} */
  let asked = null;
  const FRESH = 10_000;
  const things = () => {
    if (!asked || performance.now() - asked.at > FRESH) asked = { at: performance.now(), things: palette.things() };
    return asked.things;
  };

  palette.add({
    id: "chat",
    title: "Chats",
    async search(typed) {
      const found = (await palette.server?.chats(typed)) ?? [];
      return found.map((chat) => ({
        id: chat.id, label: chat.title, detail: [chat.character, chat.passage].filter(Boolean).join(" · "),
        act: () => {
          window.sections.show("chat-tab");
          window.pastChats.open(chat.id);
        },
      }));
    },
  });
  palette.add({
    id: "act",
    title: "Commands",
    entries: () => [
      ...window.keyTable.all
        .filter((each) => each.where && each.id !== "palette" && !each.keys[0].includes("Arrow"))
        .filter((each) => each.where === "anywhere" || each.where === (window.sections.current === "notebook-tab" ? "notebook" : "chat"))
        .map((each) => ({ id: each.id, label: window.text(each.label), words: each.label, keys: window.keys.of(each.id), act: () => window.keys.run(each.id) })),
      ...[["light", "Light theme"], ["dark", "Dark theme"], ["system", "Theme of the system"]].map(([look, label]) => ({
        id: `look-${look}`, label: window.text(label), words: label, act: () => window.wearLook(look),
      })),
    ],
  });
  palette.add({
    id: "section",
    title: "Sections",
    entries: () =>
      [...document.querySelectorAll("#navigation [data-section]")].map((each) => {
        const name = each.dataset.section ?? "";
        return { id: name, label: each.textContent?.trim() ?? "", act: () => window.sections.show(name) };
      }),
  });
  palette.add({
    id: "model",
    title: "Models",
    entries: async () =>
      (await things()).models.map((name) => ({
        id: name, label: name, words: window.text("Model"),
        act: () => (window.modelPicker?.choose ? window.modelPicker.choose(name) : window.sections.show("model-tab")),
      })),
  });
  palette.add({
    id: "preset",
    title: "Presets",
    entries: async () =>
      (await things()).presets.map((name) => ({
        id: name, label: name, words: window.text("Preset"), act: () => choosePreset(name),
      })),
  });

  // ---- Settings: every labelled field, wherever on the page it stands.
  const APART = new Set(["state", "html", "markdown", "timer", "button", "column", "row", "chatbot", "tab", "tabs", "group", "form", "accordion"]);
  /** @param {GradioLayout} node @param {GradioComponent[]} within @param {Map<number, GradioComponent>} components @returns {{ component: GradioComponent, tabs: GradioComponent[] }[]} */
  const labelled = (node, within, components) => {
    const component = components.get(node.id);
    const kind = component?.type ?? "";
    const tabs = component && kind === "tabitem" ? [...within, component] : within;
    const own = component?.props.label && !APART.has(kind) && kind !== "tabitem" && component.props.visible !== false && component.props.visible !== "hidden"
      ? [{ component, tabs }] : [];
    return [...own, ...(node.children ?? []).flatMap((each) => labelled(each, tabs, components))];
  };
  /** @param {GradioComponent} component */
  const nameOf = (component) => component.props.elem_id || `component-${component.id}`;
  /** Gradio builds what is behind a tab when it is opened.
   * @param {string} id @param {number} tries */
  const focusOn = (id, tries = TRIES) => {
    const block = document.getElementById(id);
    if (!block) return void (tries && setTimeout(() => focusOn(id, tries - 1), WAIT));
    for (let each = block.parentElement; each; each = each.parentElement) {
      const fold = each.querySelector(":scope > .label-wrap:not(.open)");
      if (fold instanceof HTMLElement && each.matches(".block")) fold.click();
    }
    block.scrollIntoView({ block: "center" });
    block.querySelector("input:not([type=hidden]), textarea, select, button")?.focus({ preventScroll: true });
    block.classList.add("is-found");
    setTimeout(() => block.classList.remove("is-found"), 2000);
  };
  /** @param {GradioComponent[]} tabs */
  const openTabs = (tabs) => {
    for (const tab of tabs) {
      const name = tab.props.elem_id ?? "";
      if (name.startsWith("inspector-")) window.sides.open("inspector");
      if (name.endsWith("-tab") && !name.startsWith("inspector-")) window.sections.show(name);
      else document.getElementById(`${name}-button`)?.click();
    }
  };
  const settings = () => {
    const { components, layout } = window.gradio_config;
    return labelled(layout, [], new Map(components.map((each) => [each.id, each])));
  };
  /** In its menu, as if it was pressed there, so that all that depends on it is filled.
   * @param {string} name */
  const choosePreset = (name) => {
    const found = settings().find(({ component }) => component.props.elem_id === "preset-menu");
    if (!found) return;
    openTabs(found.tabs);
    focusOn("preset-menu");
    const pick = (tries = TRIES) => {
      const options = [...document.querySelectorAll("#preset-menu [role=option]")];
      const option = options.find((each) => each.getAttribute("aria-label") === name || each.textContent?.trim().endsWith(name));
      if (option) option.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
      else if (tries) setTimeout(() => pick(tries - 1), WAIT);
    };
    pick();
  };
  palette.choosePreset = choosePreset;
  palette.add({
    id: "setting",
    title: "Settings",
    entries: () => {
      return settings().map(({ component, tabs }) => ({
        id: nameOf(component), label: String(component.props.label), words: String(component.props.info ?? ""),
        detail: tabs.map((each) => each.props.label).join(" › "),
        act: () => {
          if (!tabs.length) window.sections.show("chat-tab");
          openTabs(tabs);
          focusOn(nameOf(component));
        },
      }));
    },
  });
})();
