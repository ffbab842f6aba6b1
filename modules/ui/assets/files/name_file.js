// Asks for the name of a file that is saved for the first time, or under another name.
(() => {
  "use strict";
  const { element } = window.overlay;

  /** @param {string} title @param {string} first @returns {Promise<string>} never answered where it was dismissed */
  const asked = async (title, first) => {
    const field = element("input", { type: "text", value: first, maxLength: 200, "data-own": "" });
    const handle = window.overlay.open({
      title: window.text(title), size: "small",
      content: element("label", {}, element("span", {}, window.text("Name")), field),
      actions: [
        { label: window.text("Cancel"), value: "" },
        {
          label: window.text("Save"), kind: "primary", value: "save",
          act: () => { if (!field.value.trim()) throw new Error(window.text("Give it a name.")); },
        },
      ],
    });
    field.select();
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      handle.dialog.querySelector(".overlay-button.primary")?.click();
    });
    // What would be saved waits for a name; where the question was dismissed, for good.
    return (await handle.closed) === "save" ? field.value.trim() : new Promise(() => {});
  };
  window.nameFile = async (chosen, title, always, fixed) => {
    const name = chosen && !fixed.includes(chosen) ? chosen : "";
    return name && !always ? name : asked(title, name);
  };
})();
