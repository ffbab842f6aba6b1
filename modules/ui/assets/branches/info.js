// The Info tab: how the last reply was made, the prompt that led to it, and the branches of the chat as a tree.
(() => {
  "use strict";
  const { element } = window.overlay;
  const TRIES = 6;
  let look = () => {};
  /** @type {(number: number) => void} */
  let askPrompt = () => {};
  /** @type {Send} */
  let choose = () => {};
  let isStale = true;
  let isSeen = false;
  let asked = 0;
  /** The message that is shown once the chosen branch is there.
   * @type {BranchNode | null} */
  let wanted = null;

  /** @param {string} label @param {() => void} act */
  const button = (label, act) => {
    const made = element("button", { type: "button", className: "quiet", textContent: window.text(label) });
    made.addEventListener("click", act);
    return made;
  };
  /** @param {[string, string][]} rows @param {object | null} receipt */
  const showReply = (rows, receipt) => {
    const place = document.getElementById("reply-info");
    if (!place) return;
    if (!rows.length) return place.replaceChildren(element("p", { className: "hint", textContent: window.text("There is no reply yet.") }));
    const table = element("table", {}, ...rows.map(([name, value]) =>
      element("tr", {}, element("th", { scope: "row", textContent: name }), element("td", { textContent: value }))));
    const copy = button("Copy receipt", () => { void navigator.clipboard.writeText(JSON.stringify(receipt, null, 2)); });
    place.replaceChildren(table, button("Show the prompt", () => askPrompt((asked += 1))), ...(receipt ? [copy] : []));
  };
  /** @param {{prompt: string, tokens: number | null, notes: string[]}} told */
  const showPrompt = ({ prompt, tokens, notes }) => {
    const size = tokens === null ? "" : window.text("{count} tokens", { count: tokens.toLocaleString("en-US") });
    window.overlay.open({
      title: window.text("Prompt of the last reply"),
      size: "large",
      className: "prompt-shown",
      content: element("div", {},
        element("p", { className: "hint", textContent: [size, ...notes].filter(Boolean).join(" · ") }),
        element("pre", { textContent: prompt, tabIndex: 0 })),
      actions: [
        { label: window.text("Copy"), act: () => { void navigator.clipboard.writeText(prompt); return false; } },
        { label: window.text("Close"), kind: "primary" },
      ],
      focus: "pre",
    });
  };

  /** @param {BranchNode} node */
  const scrollTo = (node) => {
    const sides = node.c ? ["user", "assistant"] : [node.s];
    const index = window.chatPage.facts.findLastIndex((fact) => fact.r === node.r && sides.includes(fact.s) && fact.p !== "tool");
    const bar = document.querySelectorAll("#chat .message-buttons")[index];
    if (!bar) return;
    window.conversation.hold();
    const row = bar.closest(".message-row");
    // Messages get their true height when they come into view, which moves this one.
    const settle = (tries = TRIES) => {
      row?.scrollIntoView({ block: "center" });
      if (tries) requestAnimationFrame(() => settle(tries - 1));
    };
    settle();
  };
  /** @param {BranchNode} node */
  const chosen = (node) => {
    if (!window.sides.isOpen("inspector")) return;
    window.sides.closeOver();
    if (node.c) {
      // Of the chat that this one branched off, the message where it did.
      wanted = node.s === "parent" ? node : null;
      return window.pastChats.open(node.c);
    }
    if (!node.p.length) return scrollTo(node);
    wanted = node;
    choose({ path: node.p, mark: node.m });
  };
  const askSoon = () => {
    if (!isSeen || !isStale) return;
    isStale = false;
    look();
  };

  window.chatInfo = {
    connect(looks, prompts, chooses) {
      [look, askPrompt, choose] = [looks, prompts, chooses];
      const place = document.getElementById("chat-info");
      if (place) new IntersectionObserver(([entry]) => {
        isSeen = entry.isIntersecting;
        askSoon();
      }).observe(place);
    },
    apply(value) {
      /** @type {{nodes?: BranchNode[], reply?: [string, string][], receipt?: object | null, prompt?: string, tokens?: number | null, notes?: string[], number?: number}} */
      const told = JSON.parse(value || "{}");
      if (told.prompt !== undefined && told.number === asked) showPrompt({ prompt: told.prompt, tokens: told.tokens ?? null, notes: told.notes ?? [] });
      if (told.nodes) window.branchTree.show(told.nodes, chosen);
      if (told.reply) showReply(told.reply, told.receipt ?? null);
    },
  };
  document.addEventListener("chatshown", () => {
    isStale = true;
    askSoon();
    if (!wanted) return;
    const node = wanted;
    wanted = null;
    // Once its messages are drawn.
    requestAnimationFrame(() => requestAnimationFrame(() => scrollTo(node)));
  });
})();
