// The branches of a chat: each version of a message, with what followed it. One stop of the Tab key; arrow keys move within.
(() => {
  "use strict";
  const { element } = window.overlay;
  // Messages between two choices are folded where there are more.
  const RUN = 6;
  const DEEP = 8;
  const place = () => document.getElementById("branch-tree");
  const items = () => [.../** @type {NodeListOf<HTMLElement>} */ (place()?.querySelectorAll("[role=treeitem]") ?? [])];

  /** @param {HTMLElement} item */
  const focus = (item) => {
    for (const each of items()) each.tabIndex = each === item ? 0 : -1;
    item.focus();
  };
  /** @param {string} name @param {number} level @param {Record<string, unknown>} more @param {() => void} act */
  const itemOf = (name, level, more, act) => {
    const item = element("div", { role: "treeitem", tabIndex: -1, ...more }, element("span", { className: "branch-text", textContent: name }));
    item.setAttribute("aria-level", String(level + 1));
    item.style.setProperty("--level", String(Math.min(level, DEEP)));
    item.addEventListener("click", () => {
      focus(item);
      act();
    });
    return item;
  };
  /** Another chat. @param {BranchNode} node @param {(node: BranchNode) => void} choose */
  const linkItem = (node, choose) => {
    const isParent = node.s === "parent";
    const name = window.text(isParent ? "Branched off: {title}" : "Branch: {title}", { title: node.t });
    const item = itemOf(name, isParent ? 0 : node.p.length + 1, { className: `branch-node is-${node.s}`, title: name }, () => choose(node));
    item.setAttribute("aria-selected", "false");
    item.prepend(element("i", { className: `icon icon-${isParent ? "undo-2" : "git-branch"}`, "aria-hidden": "true" }));
    return item;
  };
  /** @param {BranchNode} node @param {(node: BranchNode) => void} choose */
  const nodeItem = (node, choose) => {
    if (node.c) return linkItem(node, choose);
    const isShown = node.p.length === 0;
    const item = itemOf(node.t || "…", node.p.length, { className: `branch-node is-${node.s}`, title: node.t }, () => choose(node));
    item.setAttribute("aria-selected", String(isShown));
    item.prepend(element("i", { className: `icon icon-${node.s === "user" ? "user" : "message-square"}`, "aria-hidden": "true" }));
    if (node.n > 1) item.append(element("small", { textContent: `${node.v}/${node.n}` }));
    return item;
  };
  /** @param {BranchNode[]} run @param {(node: BranchNode) => void} choose */
  const foldItem = (run, choose) => {
    const name = window.text("{count} messages", { count: run.length });
    const item = itemOf(`… ${name}`, run[0].p.length, { className: "branch-fold" }, () => {
      const made = run.map((node) => nodeItem(node, choose));
      item.replaceWith(...made);
      focus(made[0]);
    });
    item.setAttribute("aria-expanded", "false");
    return item;
  };
  /** Runs of messages that have one version and stand at the same place of the tree.
   * @param {BranchNode[]} nodes */
  const runs = (nodes) => {
    /** @type {BranchNode[][]} */
    const found = [];
    const keyOf = (/** @type {BranchNode} */ node) => (node.n > 1 || node.c ? "" : JSON.stringify(node.p));
    for (const node of nodes) {
      const last = found.at(-1);
      if (last && keyOf(node) && keyOf(last[0]) === keyOf(node)) last.push(node);
      else found.push([node]);
    }
    return found;
  };
  /** @param {BranchNode[]} run @param {(node: BranchNode) => void} choose */
  const runItems = (run, choose) =>
    run.length < RUN
      ? run.map((node) => nodeItem(node, choose))
      : [nodeItem(run[0], choose), foldItem(run.slice(1, -1), choose), nodeItem(run[run.length - 1], choose)];

  window.branchTree = {
    show(nodes, choose) {
      const shown = place();
      if (!shown) return;
      if (!nodes.length) return shown.replaceChildren(element("p", { className: "hint", textContent: window.text("Nothing was said yet.") }));
      const hadFocus = shown.contains(document.activeElement);
      const tree = element("div", { role: "tree", "aria-label": window.text("Branches") }, ...runs(nodes).flatMap((run) => runItems(run, choose)));
      shown.replaceChildren(tree);
      const last = items().filter((each) => each.getAttribute("aria-selected") === "true").at(-1) ?? items()[0];
      last.tabIndex = 0;
      last.setAttribute("aria-current", "true");
      if (hadFocus) last.focus({ preventScroll: true });
    },
  };
  document.addEventListener("keydown", (event) => {
    const item = event.target instanceof HTMLElement && event.target.matches("#branch-tree [role=treeitem]") ? event.target : null;
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = items();
    const at = all.indexOf(item);
    const level = (/** @type {HTMLElement} */ each) => Number(each.getAttribute("aria-level"));
    const above = () => all.slice(0, at).reverse().find((each) => level(each) < level(item));
    const below = () => (at + 1 < all.length && level(all[at + 1]) > level(item) ? all[at + 1] : undefined);
    const isFold = item.matches(".branch-fold");
    /** @type {Record<string, () => HTMLElement | undefined>} */
    const ways = {
      ArrowDown: () => all[at + 1], ArrowUp: () => all[at - 1], Home: () => all[0], End: () => all.at(-1),
      ArrowLeft: above, ArrowRight: () => (isFold ? undefined : below()),
    };
    const next = ways[event.key]?.();
    if (next) focus(next);
    else if (event.key === "Enter" || event.key === " " || (event.key === "ArrowRight" && isFold)) item.click();
    else if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    event.stopPropagation();
  });
})();
