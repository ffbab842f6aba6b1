// The key sheet: every binding by what it is for.
(() => {
  "use strict";
  const { acts } = window.keys;
  const isMac = /Mac|iP(hone|ad|od)/.test(navigator.platform);
  const { element } = window.overlay;

  /** @param {KeyBinding[]} bindings */
  const rowsOf = (bindings) =>
    bindings.map((each) =>
      element("div", { className: "key-row" },
        element("span", {}, window.text(each.label)),
        element("span", {}, ...each.keys.map((keys) => element("kbd", {}, window.keyTable.written(keys, isMac, window.text))))));
  acts.sheet = () => {
    const groups = Map.groupBy(window.keyTable.all, (each) => each.group);
    const parts = [...groups].map(([group, bindings]) =>
      element("section", { className: "key-group" }, element("h3", {}, window.text(group)), ...rowsOf(bindings)));
    window.overlay.open({
      title: window.text("Keyboard shortcuts"), size: "large", className: "key-sheet",
      content: element("div", { className: "key-groups" }, ...parts), focus: ".overlay-close",
    });
  };
})();
