// What the page's scripts are held to. Each file is one function that is run where it stands.
const js = require("@eslint/js");
const globals = require("globals");

module.exports = [
  { ...js.configs.recommended, files: ["**/*.js", "**/*.mjs"] },
  {
    files: ["modules/ui/assets/**/*.js", "modules/ui/languages/*.js"],
    languageOptions: { sourceType: "script", ecmaVersion: 2024, globals: globals.browser },
    rules: {
      "array-callback-return": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-alert": "error",
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-shadow": "error",
      "no-unused-vars": ["error", { caughtErrors: "none" }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      strict: ["error", "function"],
      "preserve-caught-error": "off",
      // What comes from a model or a file may not become markup.
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Make elements, or set textContent." },
        { property: "outerHTML", message: "Make elements, or set textContent." },
        { property: "insertAdjacentHTML", message: "Make elements, or set textContent." },
      ],
    },
  },
  {
    // The body of a function that Gradio calls with these.
    files: ["modules/ui/assets/**/parts/*.js"],
    languageOptions: { parserOptions: { ecmaFeatures: { globalReturn: true } }, globals: Object.fromEntries(["element", "props", "trigger", "watch", "server", "SAMPLERS"].map((name) => [name, "readonly"])) },
    rules: { strict: "off" },
  },
  { files: ["tests/scripts/**/*.mjs"], languageOptions: { sourceType: "module", globals: globals.node } },
];
