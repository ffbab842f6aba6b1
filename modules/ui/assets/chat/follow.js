// The conversation stays at its end, unless its reader has scrolled up; whoever asks for a reply is at the end again.
(() => {
  "use strict";
  /** @param {string} id */
  const byId = (id) => document.getElementById(id);
  const NEAR = 80;
  const ASKS = "#box .submit-button, #regenerate, #continue, #chat :is([aria-label=Regenerate], .strip-act, [data-says='Save & send']), #past-chats .chat-row, #new-chat, #new-incognito, #to-end";
  let follows = true;
  let asked = false;
  let last = { top: 0, end: 0 };
  // What a reader scrolls by. What it moves may come a moment later.
  const GESTURES = ["wheel", "touchmove", "pointerdown", "keydown", "focusin"];
  const GESTURE_MS = 1000;
  let gestured = -Infinity;
  // Messages that come or go, or get other heights, move what is shown for some frames more.
  const CHANGE_MS = 300;
  let changed = -Infinity;

  /** @param {Element} scroller */
  const endOf = (scroller) => scroller.scrollHeight - scroller.clientHeight;
  /** @param {Element} scroller */
  const gap = (scroller) => endOf(scroller) - scroller.scrollTop;
  /** @param {Element} scroller */
  const note = (scroller) => {
    last = { top: scroller.scrollTop, end: endOf(scroller) };
    scroller.toggleAttribute("data-away", !follows && gap(scroller) > NEAR);
    scroller.toggleAttribute("data-follows", follows);
  };
  const settle = () => {
    const scroller = byId("scroller");
    if (!scroller) return;
    if (follows && !document.querySelector("#chat .edit-textarea")) scroller.scrollTop = scroller.scrollHeight;
    note(scroller);
  };
  const settleSoon = () => {
    changed = performance.now();
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      settle();
    });
  };
  const follow = () => {
    follows = true;
    gestured = -Infinity;
    settleSoon();
  };
  // Messages get their true height when they come into view, and the box below is lower once its lines are sent, which
  // moves the end without anybody having scrolled: only what goes up further than the end does is the reader's doing. A
  // reply that ends moves from one component to the other, a phone is turned: the end goes up and down again before this is
  // told of it, so that while something changes a gesture is needed, too.
  /** @param {Element} scroller */
  const scrolled = (scroller) => {
    const up = last.top - scroller.scrollTop;
    const now = performance.now();
    const isChanging = now - changed < CHANGE_MS || endOf(scroller) !== last.end;
    const isReaders = !isChanging || now - gestured < GESTURE_MS;
    if (up > Math.max(0, last.end - endOf(scroller)) + 1) follows &&= !isReaders;
    else if (gap(scroller) < NEAR) follows = true;
    note(scroller);
  };
  const watch = () => {
    const scroller = byId("scroller");
    const chat = byId("chat");
    if (!scroller || !chat) return void setTimeout(watch, 50);
    scroller.addEventListener("scroll", () => scrolled(scroller), { passive: true });
    for (const each of GESTURES) scroller.addEventListener(each, () => { gestured = performance.now(); }, { passive: true });
    // Before the frame is painted: none shows the new height at the old place.
    const grown = new ResizeObserver(() => {
      changed = performance.now();
      settle();
    });
    for (const each of [scroller, ...scroller.children]) grown.observe(each);
    new MutationObserver(settleSoon).observe(chat, { childList: true, subtree: true });
  };

  window.conversation = {
    follow,
    // Whoever comes back to a chat reads on where he was.
    hold() { follows = false; },
  };
  document.addEventListener("click", (event) => {
    if (event.target?.closest?.(ASKS)) follow();
  }, true);
  document.addEventListener("change", (event) => {
    if (event.target?.closest?.("#mode, #character")) follow();
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target instanceof Element && event.target.matches("#box textarea")) follow();
  }, true);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
