// What the keys do that no single button does.
(() => {
  "use strict";
  const { acts } = window.keys;

  /** @param {string[]} selectors */
  const pressFirst = (selectors) => {
    const found = selectors.map((each) => document.querySelector(each)).find(Boolean);
    found?.click();
    return Boolean(found);
  };
  acts.left = () => window.sides.toggle("left");
  acts.inspector = () => window.sides.toggle("inspector");
  acts.settings = () => window.sections.show("settings-tab");
  acts.model = () => pressFirst(["#model-pill button", "#model-pill"]);
  // The section is shown a moment after it was asked for.
  const FRAMES = 60;
  /** @param {number} frames */
  const focusBox = (frames) => {
    const box = document.querySelector("#box textarea");
    box?.focus();
    if (document.activeElement !== box && frames) requestAnimationFrame(() => focusBox(frames - 1));
  };
  acts.box = () => {
    window.sections.show("chat-tab");
    focusBox(FRAMES);
  };

  // ---- Versions of a reply: of the one that has the focus; with Alt, of the last one.
  const rows = () => [...document.querySelectorAll("#chat .message-buttons")].map((bar) => bar.closest(".message-row"));
  const lastOf = (/** @type {MessageFact[]} */ facts) => facts.findLastIndex((fact) => fact.p === "text");
  /** @param {boolean} hasAlt */
  const meantReply = (hasAlt) => {
    const { facts } = window.chatPage;
    const focused = document.activeElement?.closest("#chat .message-row");
    if (!focused && !hasAlt) return -1;
    const index = hasAlt ? lastOf(facts) : rows().indexOf(focused ?? null);
    return facts[index]?.p === "text" && facts[index].s === "assistant" ? index : -1;
  };
  acts.previous = (event) => {
    const index = meantReply(event?.altKey ?? true);
    if (index < 0) return false;
    window.chatPage.send({ act: "previous", index });
  };
  acts.next = (event) => {
    const { facts } = window.chatPage;
    const index = meantReply(event?.altKey ?? true);
    if (index < 0) return false;
    if (facts[index].v < facts[index].n) window.chatPage.send({ act: "next", index });
    else if (index === lastOf(facts)) document.getElementById("regenerate")?.click();
  };
})();
