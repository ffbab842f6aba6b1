// Variables of prompts: {{topic}}, {{tone:select:dry,warm}}, {{text:long}}.
(() => {
  "use strict";
  const VARIABLE = /\{\{\s*([^{}:]+?)\s*(?::\s*(text|long|select)\s*(?::([^{}]*))?)?\}\}/gu;
  // The program puts these in itself.
  const OWN = new Set(["user", "char", "name1", "name2"]);

  /** Each once, in the order in which they occur; a later mention of the same name may say of which kind it is.
   * @param {string} text @returns {PromptVariable[]} */
  const variables = (text) => {
    /** @type {Map<string, PromptVariable>} */
    const found = new Map();
    for (const [, name, kind, more] of text.matchAll(VARIABLE)) {
      if (OWN.has(name.toLowerCase())) continue;
      const choices = (more ?? "").split(",").map((each) => each.trim()).filter(Boolean);
      const isSelect = kind === "select" && choices.length > 0;
      const known = found.get(name);
      if (!known || (known.kind === "text" && kind)) {
        found.set(name, { name, kind: isSelect ? "select" : kind === "long" ? "long" : "text", choices: isSelect ? choices : [] });
      }
    }
    return [...found.values()];
  };
  /** What is not given stays as it is written.
   * @param {string} text @param {Record<string, string>} values */
  const filled = (text, values) => text.replace(VARIABLE, (whole, name) => (Object.hasOwn(values, name) ? values[name] : whole));
  window.promptText = { variables, filled };
})();
