// The grid of characters, where a press begins a chat, and that of personas, where it chooses who speaks in the open one.
(() => {
  "use strict";
  /** @param {string} field */
  const lookAt = (field) => document.getElementById(field)?.scrollIntoView({ block: "center", behavior: "smooth" });
  /** What both menus have. @param {GridCard} card @param {GridAct} act */
  const common = (card, act) => [
    { label: window.text("Edit"), act: act("edit"), disabled: card.broken },
    { label: window.text("Duplicate"), act: act("duplicate"), disabled: card.broken },
    { separator: true },
  ];

  window.characterGrid = {
    ...window.cardGrid({
      part: "characters-part",
      title: (card) => window.text("Talk to {name}", { name: card.name }),
      search: () => window.text("Search characters"),
      label: () => window.text("Characters"),
      hint: () => window.text("Drop a card (PNG, JSON, CharX) anywhere on the page to import it."),
      none: () => window.text("There are no characters yet."),
      noneFound: () => window.text("No character is called so, or has that tag."),
      press: (card) => window.talkTo(card.file),
      acts: (card, act) => [
        { label: window.text("Talk"), act: () => window.talkTo(card.file), disabled: card.broken },
        ...common(card, act),
        { label: window.text("Export as card (PNG)"), act: act("export", { form: "png" }), disabled: card.broken || !card.picture },
        { label: window.text("Export as card (JSON)"), act: act("export", { form: "json" }), disabled: card.broken },
        { label: window.text("Export as YAML"), act: act("export", { form: "yaml" }), disabled: card.broken },
        { separator: true },
        { label: window.text("Delete"), isDangerous: true, act: act("delete"), disabled: card.broken },
      ],
      after(last) {
        if (last === "export") window.fetchFile("character-download");
        const place = { edit: "character-name", duplicate: "character-name", delete: "character-undo" }[last];
        if (place) lookAt(place);
      },
    }),
    /** The chat with who was chosen. */
    begin() {
      window.sections.show("chat-tab");
      const button = document.getElementById("new-chat");
      const inner = button?.matches("button") ? button : button?.querySelector("button");
      if (inner instanceof HTMLElement) inner.click();
    },
  };

  window.personaGrid = window.cardGrid({
    part: "users-part",
    title: (card) => window.text("Speak as {name}", { name: card.name }),
    search: () => window.text("Search personas"),
    label: () => window.text("Personas"),
    hint: () => window.text("A press chooses who you are in the open chat and in new ones. Other chats keep theirs."),
    none: () => window.text("There are no personas yet."),
    noneFound: () => window.text("No persona is called so."),
    press: (_, send) => send("choose"),
    acts: (card, act) => [
      { label: window.text("Speak as {name}", { name: card.name }), act: act("choose"), disabled: card.broken },
      ...common(card, act),
      { label: window.text("Delete"), isDangerous: true, act: act("delete"), disabled: card.broken || card.fixed === true },
    ],
    after(last) {
      if (last === "choose") return window.sections.show("chat-tab");
      const place = { edit: "user-name", duplicate: "user-name", delete: "user-undo" }[last];
      if (place) lookAt(place);
    },
  });
})();
