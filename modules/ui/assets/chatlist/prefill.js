// `?q=…&model=…&preset=…` opens a new chat with these words in its box. Nothing is sent, loaded or changed before its
// reader presses for it: anybody can make such a link.
(() => {
  "use strict";
  const TRIES = 100;
  const WAIT = 50;
  const { searchParams } = new URL(location.href);
  const asked = { q: searchParams.get("q") ?? "", model: searchParams.get("model") ?? "", preset: searchParams.get("preset") ?? "" };
  window.prefilled = Boolean(asked.q || asked.model || asked.preset);
  if (!window.prefilled) return;

  /** @param {string} words @param {number} tries */
  const write = (words, tries = TRIES) => {
    const box = document.querySelector("#box textarea");
    if (!box) return void (tries && setTimeout(() => write(words, tries - 1), WAIT));
    if (!words || box.value) return;
    box.value = words;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
  };
  /** @param {(Node | string)[]} parts */
  const note = (...parts) => {
    const { element } = window.overlay;
    const close = element("button", { type: "button", "aria-label": window.text("Dismiss"), title: window.text("Dismiss") }, "✕");
    const shown = element("div", { id: "link-note", role: "status" }, ...parts, close);
    close.addEventListener("click", () => shown.remove());
    document.getElementById("composer")?.prepend(shown);
  };
  /** @param {string} label @param {() => void} act */
  const button = (label, act) => {
    const made = window.overlay.element("button", { type: "button" }, label);
    made.addEventListener("click", () => {
      made.remove();
      act();
    });
    return made;
  };
  const suggest = async () => {
    const known = await window.palette.things();
    const { model, preset } = asked;
    const isLoaded = document.getElementById("model-pill")?.textContent?.trim() === model;
    const missing = [
      model && !known.models.includes(model) && window.text("There is no model “{name}” here.", { name: model }),
      preset && !known.presets.includes(preset) && window.text("There is no preset “{name}” here.", { name: preset }),
    ].filter(Boolean).join(" ");
    const offers = [
      ...(known.models.includes(model) && !isLoaded
        ? [button(window.text("Choose the model {name}", { name: model }), () => (window.modelPicker?.choose ? window.modelPicker.choose(model) : window.sections.show("model-tab")))] : []),
      ...(known.presets.includes(preset) ? [button(window.text("Use the preset {name}", { name: preset }), () => window.palette.choosePreset?.(preset))] : []),
    ];
    if (missing || offers.length) note(window.overlay.element("span", {}, missing || window.text("This link suggests:")), ...offers);
  };
  let isDone = false;
  window.pastChats.watch((shown) => {
    if (isDone || !window.pastChats.list.revision || shown.chat) return;
    isDone = true;
    write(asked.q);
    if (asked.model || asked.preset) suggest().catch(() => {});
  });
})();
