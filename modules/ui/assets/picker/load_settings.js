// How a model is loaded: the fields of its backend, and the memory that it takes as entered.
(() => {
  "use strict";
  const QUIET = 300;
  const make = () => window.overlay.element;
  const picker = () => window.modelPicker;

  /** @param {PickerField} field @param {() => void} changed */
  const control = (field, changed) => {
    const element = make();
    const common = { "data-field": field.name, title: field.info };
    /** @type {HTMLInputElement | HTMLSelectElement} */
    let input;
    if (field.kind === "switch") input = element("input", { ...common, type: "checkbox", checked: Boolean(field.value) });
    else if (field.choices.length) {
      input = element("select", common, ...field.choices.map((each) => element("option", { value: each, textContent: each })));
      input.value = String(field.value ?? "");
    } else input = element("input", { ...common, type: field.kind === "integer" ? "number" : "text", value: String(field.value ?? "") });
    input.addEventListener(field.kind === "switch" || field.choices.length ? "change" : "input", changed);
    const label = element("label", { className: field.kind === "switch" ? "picker-switch" : "" }, element("span", { textContent: field.label }), input);
    return label;
  };

  /** What was entered, by name. @param {HTMLElement} form @param {PickerField[]} fields */
  const entered = (form, fields) => {
    /** @type {Record<string, unknown>} */
    const args = {};
    for (const field of fields) {
      const input = form.querySelector(`[data-field="${field.name}"]`);
      if (input instanceof HTMLInputElement && input.type === "checkbox") args[field.name] = input.checked;
      else if (input instanceof HTMLInputElement || input instanceof HTMLSelectElement) {
        if (input.value !== "") args[field.name] = field.kind === "integer" ? Number(input.value) : input.value;
      }
    }
    return args;
  };

  /** @param {PickerPreview} preview */
  const memory = (preview) => {
    const element = make();
    const { free, total } = preview.room;
    const part = total ? Math.min(1, preview.needs / total) : 0;
    const what = preview.parts.map((each) => `${each.name} ${picker().size(each.bytes)}`).join(", ");
    const words = preview.lacks
      ? window.text("Too large by {size}. Choose a shorter context, a smaller KV cache type or fewer GPU layers.", { size: picker().size(preview.lacks) })
      : window.text("{size} of {total}{parts}, {free} free without the loaded models", {
        size: picker().size(preview.needs), total: picker().size(total), parts: what ? ` (${what})` : "", free: picker().size(free),
      });
    return element("div", { className: "picker-memory" },
      element("div", { className: `picker-bar ${preview.lacks ? "is-full" : ""}`, role: "meter", "aria-label": window.text("Memory"), "aria-valuenow": Math.round(part * 100), "aria-valuemin": 0, "aria-valuemax": 100, style: `--part: ${part}` }),
      element("p", { className: preview.lacks ? "picker-lacks" : "picker-note", textContent: preview.needs ? words : "" }));
  };

  /** @param {PickerPreview} first */
  const form = (first) => {
    const element = make();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let asked = 0;
    const changed = () => {
      clearTimeout(timer);
      timer = setTimeout(look, QUIET);
    };
    const look = async () => {
      const number = ++asked;
      const preview = await picker().server?.model_preview({ name: first.name, args: entered(body, first.fields) });
      // Only what was asked last is about what is entered.
      if (number !== asked || !preview) return;
      place.replaceChildren(preview.error ? element("p", { className: "picker-lacks", role: "alert", textContent: preview.error }) : memory(preview));
    };
    const place = element("div", {}, memory(first));
    const more = element("details", { className: "picker-advanced" }, element("summary", { textContent: window.text("Advanced") }),
      element("div", { className: "picker-fields" }, ...first.fields.filter((each) => !each.main && !MAIN.includes(each.name)).map((each) => control(each, changed))));
    const shown = first.fields.filter((each) => each.main || MAIN.includes(each.name));
    const remember = element("label", { className: "picker-switch picker-remember" }, element("span", { textContent: window.text("Remember for this model") }), element("input", { type: "checkbox", checked: true }));
    const body = element("div", { className: "picker-form" }, element("div", { className: "picker-fields" }, ...shown.map((each) => control(each, changed))), more, place, remember);
    return body;
  };
  const MAIN = ["ctx_size", "parallel"];

  Object.assign((window.modelPicker ??= /** @type {ModelPicker} */ ({})), {
    /** @param {string} name */
    async settings(name) {
      const first = await picker().server?.model_preview({ name, args: {} });
      if (!first) return;
      if (first.error) {
        window.overlay.top?.fail(first.error);
        return;
      }
      const body = form(first);
      window.overlay.closeAll();
      const handle = window.overlay.open({
        title: first.title, size: "medium", className: "load-settings", content: body,
        actions: [{
          label: window.text("Load"), kind: "primary",
          act: async () => {
            const remember = body.querySelector(".picker-remember input")?.checked ?? false;
            const isBegun = await picker().load({ name, args: entered(body, first.fields), remember });
            if (isBegun) handle.close();
            return false;
          },
        }],
      });
    },
  });
})();
