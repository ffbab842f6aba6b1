// Runs before anything else of the page. The page's language: what is visible is written in English, and shown as the language's file says.
(() => {
  "use strict";
  const SYSTEM = "system";
  const VISIBLE = ["label", "info", "placeholder"];
  // Of these the value is the program's own text.
  const SAYING = new Set(["button", "downloadbutton", "uploadbutton", "markdown"]);
  const chosen = localStorage.getItem("language") ?? SYSTEM;
  const browser = navigator.language;
  const wanted = chosen === SYSTEM ? browser : chosen;
  const code = (wanted || "en").toLowerCase().split("-")[0];
  const file = window.languageFiles?.[code];

  /** The text as it is shown; names in braces stand for values.
   * @param {string} english @param {Record<string, string | number>} [values] @returns {string} */
  const text = (english, values) => {
    const shown = window.languageTexts?.[english] ?? english;
    return values ? shown.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole)) : shown;
  };
  /** Names of files and models are their own labels.
   * @param {unknown} choice */
  const translateChoice = (choice) => {
    if (Array.isArray(choice) && choice[0] !== choice[1] && typeof choice[0] === "string") choice[0] = text(choice[0]);
  };
  /** @param {Record<string, unknown>} example */
  const translateExample = (example) => {
    for (const name of ["text", "display_text"]) if (typeof example[name] === "string") example[name] = text(example[name]);
  };
  /** @param {GradioComponent} component */
  const translateComponent = ({ type, props }) => {
    for (const name of VISIBLE) if (typeof props[name] === "string") props[name] = text(props[name]);
    if (SAYING.has(type) && typeof props.value === "string") props.value = text(props.value);
    if (Array.isArray(props.choices)) props.choices.forEach(translateChoice);
    // What an empty chat offers to begin with.
    if (Array.isArray(props.examples)) props.examples.forEach(translateExample);
    if (type === "chatbot" && typeof props.placeholder === "string") props.placeholder = text(props.placeholder);
    // Parts of our own say which of their texts are to be shown in the page's language.
    if (type === "html" && typeof props.value === "string") props.value = translateMarkup(props.value);
  };
  /** Texts between tags and in titles of the page's own markup, as far as they are in the file.
   * @param {string} markup */
  const translateMarkup = (markup) =>
    markup
      .replace(/>([^<>]+)</g, (whole, words) => `>${replaced(words)}<`)
      .replace(/(title|aria-label|placeholder)="([^"]+)"/g, (whole, name, words) => `${name}="${replaced(words)}"`);
  /** @param {string} words */
  const replaced = (words) => {
    const bare = words.trim();
    const shown = window.languageTexts?.[bare.replaceAll("&amp;", "&")];
    return shown ? words.replace(bare, () => shown) : words;
  };
  /** Before Gradio looks at what the page is made of.
   * @param {GradioConfig} config */
  const translate = (config) => {
    config.components.forEach(translateComponent);
    return config;
  };
  window.applyLanguage = () => {
    if (window.gradio_config) {
      translate(window.gradio_config);
      return;
    }
    Object.defineProperty(window, "gradio_config", {
      configurable: true,
      set(config) {
        Object.defineProperty(window, "gradio_config", { value: translate(config), writable: true, configurable: true, enumerable: true });
      },
      get: () => undefined,
    });
  };

  const shown = file ? code : "en";
  const root = document.documentElement;
  // Gradio says the language of its own texts there, which is English: see below.
  const say = () => {
    if (root.lang !== shown) root.lang = shown;
  };
  say();
  new MutationObserver(say).observe(root, { attributeFilter: ["lang"] });
  // Gradio would name its own buttons in the browser's language, by which name the page's scripts and tests know them.
  Object.defineProperty(navigator, "language", { get: () => "en", configurable: true });
  Object.defineProperty(navigator, "languages", { get: () => ["en"], configurable: true });
  // It has to be there before the page is: a script that is written here runs next.
  if (file) document.write(`<script src="${file}"></${"script"}>`);
  window.text = text;
  window.language = { chosen, shown, browser };
  window.chooseLanguage = (language) => {
    localStorage.setItem("language", language);
    const age = language === SYSTEM ? 0 : 31536000;
    document.cookie = `language=${language}; path=${location.pathname}; max-age=${age}; SameSite=Lax`;
    location.reload();
  };
})();
