// All keys of the page in one table: what dispatches them, the key sheet, the tooltips and docs/KEYS.md are made from it.
(() => {
  "use strict";
  /** @type {KeyBinding[]} */
  const TABLE = [
    { id: "palette", keys: ["Ctrl+K"], label: "Search and commands", group: "General", where: "anywhere", act: "palette" },
    { id: "sheet", keys: ["Ctrl+/", "?"], label: "Keyboard shortcuts", group: "General", where: "anywhere", act: "sheet" },
    { id: "new-chat", keys: ["Ctrl+Shift+O"], label: "New chat", group: "General", where: "anywhere", press: ["#new-chat"] },
    { id: "left", keys: ["Ctrl+B"], label: "Show or hide the list of chats", group: "General", where: "anywhere", act: "left" },
    { id: "inspector", keys: ["Ctrl+.", "Ctrl+S"], label: "Show or hide the settings of the chat", group: "General", where: "anywhere", act: "inspector" },
    { id: "model", keys: ["Ctrl+Shift+M", "Ctrl+Shift+L"], label: "Choose a model", group: "General", where: "anywhere", act: "model" },
    { id: "settings", keys: ["Ctrl+,"], label: "Settings", group: "General", where: "anywhere", act: "settings" },
    { id: "box", keys: ["Shift+Escape"], label: "Go to the message box", group: "General", where: "anywhere", act: "box" },
    { id: "next-region", keys: ["F6"], label: "Go to the next part of the page", group: "General", where: "anywhere", act: "next-region" },
    { id: "previous-region", keys: ["Shift+F6"], label: "Go to the part before", group: "General", where: "anywhere", act: "previous-region" },
    { id: "send", keys: ["Enter"], label: "Send the message", group: "Chat", isNative: true },
    { id: "line", keys: ["Shift+Enter"], label: "New line", group: "Chat", isNative: true },
    { id: "prompts", keys: ["/"], label: "Insert a prompt (in the empty box)", group: "Chat", isNative: true },
    { id: "stop", keys: ["Escape"], label: "Stop the reply", group: "Chat", where: "chat", press: ["#box .stop-button"] },
    { id: "regenerate", keys: ["Ctrl+Enter"], label: "Regenerate the last reply", group: "Chat", where: "chat", press: ["#regenerate"] },
    { id: "continue", keys: ["Alt+Enter"], label: "Continue the last reply", group: "Chat", where: "chat", press: ["#continue"] },
    { id: "remove-last", keys: ["Ctrl+Shift+Backspace"], label: "Delete the last turn", group: "Chat", where: "chat", press: ["#remove-last"] },
    { id: "impersonate", keys: ["Alt+Shift+M"], label: "Write as me", group: "Chat", where: "chat", press: ["#impersonate"] },
    { id: "previous", keys: ["ArrowLeft"], label: "Previous version of the focused reply", group: "Chat", where: "chat", act: "previous" },
    { id: "next", keys: ["ArrowRight"], label: "Next version of the focused reply, or a new one", group: "Chat", where: "chat", act: "next" },
    { id: "previous-of-last", keys: ["Alt+ArrowLeft"], label: "Previous version of the last reply", group: "Chat", where: "chat", act: "previous" },
    { id: "next-of-last", keys: ["Alt+ArrowRight"], label: "Next version of the last reply, or a new one", group: "Chat", where: "chat", act: "next" },
    { id: "save-edit", keys: ["Ctrl+Enter"], label: "Save the message", group: "While a message is edited", isNative: true },
    { id: "cancel-edit", keys: ["Escape"], label: "Cancel", group: "While a message is edited", isNative: true },
    { id: "rename", keys: ["F2"], label: "Rename the chat", group: "List of chats", isNative: true },
    { id: "generate", keys: ["Ctrl+Enter"], label: "Generate", group: "Notebook", where: "notebook", press: ["#generate"] },
    { id: "stop-writing", keys: ["Escape"], label: "Stop", group: "Notebook", where: "notebook", press: ["#stop-writing"] },
    { id: "move-sampler", keys: ["Alt+ArrowUp", "Alt+ArrowDown"], label: "Move the sampler", group: "Sampler order", isNative: true },
    { id: "silence", keys: ["Escape"], label: "Stop reading aloud, dictation or a call", group: "Voice", isNative: true },
  ];
  const MODIFIERS = ["Ctrl", "Alt", "Shift"];
  /** @type {Record<string, string>} */
  const SIGNS = {
    ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Backspace: "Backspace", Enter: "Enter",
  };
  /** @type {Record<string, string>} */
  const MAC = { Ctrl: "⌘", Alt: "⌥", Shift: "⇧" };

  /** @param {string} combination @returns {{ modifiers: string[], key: string }} */
  const parts = (combination) => {
    const all = combination.split("+");
    return { modifiers: all.slice(0, -1), key: all.at(-1) ?? "" };
  };
  /** As it is written on the user's keyboard.
   * @param {string} combination @param {boolean} isMac @param {(word: string) => string} [translated] */
  const written = (combination, isMac, translated = (word) => word) => {
    const { modifiers, key } = parts(combination);
    const shown = SIGNS[key] ? translated(SIGNS[key]) : key;
    if (isMac) return modifiers.map((each) => MAC[each]).join("") + shown;
    return [...modifiers.map(translated), shown].join("+");
  };
  /** Layouts without Latin letters name another key than the one at that place.
   * @param {KeyPress} press @param {string} key */
  const isKey = (press, key) => {
    if (press.key === key || press.key.toLowerCase() === key.toLowerCase()) return true;
    const isLetter = /^[A-Z]$/.test(key);
    return isLetter && !/^[\x20-\x7e]$/.test(press.key) && press.code === `Key${key}`;
  };
  /** A sign such as / needs Shift on some keyboards.
   * @param {KeyPress} press @param {string} combination */
  const isPressed = (press, combination) => {
    const { modifiers, key } = parts(combination);
    const isSign = /^[^A-Za-z0-9]$/.test(key);
    const has = { Ctrl: press.ctrlKey || press.metaKey, Alt: press.altKey, Shift: press.shiftKey };
    const isHeld = MODIFIERS.every((each) =>
      (isSign && each === "Shift") || has[/** @type {keyof typeof has} */ (each)] === modifiers.includes(each));
    return isHeld && isKey(press, key);
  };
  /** Whether it is a letter or sign that would be written.
   * @param {string} combination */
  const isPlain = (combination) => !/^(Ctrl|Alt)\+|^Shift\+.{2,}|^(Escape|F\d+)$/.test(combination);

  window.keyTable = { all: TABLE, written, isPressed, isPlain };
})();
