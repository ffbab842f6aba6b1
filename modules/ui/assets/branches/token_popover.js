// What could have stood in the place of a word, and how likely it was.
(() => {
  "use strict";
  const GAP = 6;
  const EDGE = 8;
  const LEAVE_MS = 250;
  /** @type {typeof window.overlay.element} */
  const element = (tag, properties, ...children) => window.overlay.element(tag, properties, ...children);
  /** @type {HTMLElement | null} */
  let panel = null;
  /** @type {HTMLElement | null} */
  let token = null;
  let isPinned = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let leaving;

  /** @param {number} logprob */
  const percent = (logprob) => {
    const share = 100 * Math.exp(logprob);
    return share < 0.1 ? "< 0.1 %" : `${share.toFixed(share < 10 ? 1 : 0)} %`;
  };
  /** Blanks as marks, so that they can be seen.
   * @param {string | null} text */
  const shown = (text) => {
    if (text === null) return window.text("part of a character");
    return text.replaceAll("\n", "↵").replaceAll("\t", "⇥").replace(/^ | $/g, "␣") || "∅";
  };

  /** @param {TokenCandidate} candidate @param {boolean} isTaken @param {() => void} take */
  const row = (candidate, isTaken, take) => {
    const [text, logprob, isEnd] = candidate;
    const word = isEnd ? window.text("End of the reply") : shown(text);
    const said = { word, share: percent(logprob) };
    const label = isTaken ? window.text("{word}, {share}, as it is", said) : window.text("Take {word} instead, {share}", said);
    const bar = element("span", { className: "share", "aria-hidden": "true" });
    bar.style.inlineSize = `${Math.max(2, 100 * Math.exp(logprob))}%`;
    const made = element(
      "button",
      { type: "button", className: "candidate", disabled: isTaken || text === null, "aria-label": label },
      bar,
      element("span", { className: "mark", "aria-hidden": "true" }, isTaken ? "✓" : ""),
      element("span", { className: isEnd || text === null ? "word is-named" : "word" }, word),
      element("span", { className: "percent" }, percent(logprob)),
    );
    made.addEventListener("click", take);
    return element("li", {}, made);
  };

  const made = () => {
    if (panel) return panel;
    panel = element("div", { id: "token-popover", popover: "manual", role: "group" });
    panel.addEventListener("pointerenter", () => clearTimeout(leaving));
    panel.addEventListener("pointerleave", hideSoon);
    panel.addEventListener("keydown", (event) => {
      const buttons = [...made().querySelectorAll("button:not(:disabled)")];
      const place = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
      const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (step) buttons.at((place + step) % buttons.length)?.focus();
      else if (event.key === "Escape") dismiss();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    document.addEventListener("pointerdown", (event) => {
      const target = event.target instanceof Element ? event.target : null;
      if (!target?.closest("#token-popover, .token")) hide();
    });
    document.body.append(panel);
    return panel;
  };

  /** @param {HTMLElement} anchor */
  const put = (anchor) => {
    const frame = made();
    // A word that is divided stands on two lines.
    const place = anchor.getClientRects()[0] ?? anchor.getBoundingClientRect();
    const { width, height } = frame.getBoundingClientRect();
    const isBelow = place.bottom + GAP + height + EDGE <= innerHeight || place.top < height + GAP + EDGE;
    frame.style.left = `${Math.max(EDGE, Math.min(place.left, innerWidth - width - EDGE))}px`;
    frame.style.top = `${isBelow ? place.bottom + GAP : place.top - GAP - height}px`;
  };

  const hide = () => {
    clearTimeout(leaving);
    token?.removeAttribute("aria-expanded");
    token = null;
    if (panel?.matches(":popover-open")) panel.hidePopover();
  };
  const dismiss = () => {
    const before = token;
    hide();
    before?.focus();
    hide();
  };
  const hideSoon = () => {
    clearTimeout(leaving);
    if (!isPinned) leaving = setTimeout(hide, LEAVE_MS);
  };

  window.tokenPopover = {
    show(anchor, piece, take, pins) {
      clearTimeout(leaving);
      isPinned = pins;
      if (token === anchor) return;
      token?.removeAttribute("aria-expanded");
      token = anchor;
      const [text, logprob, , candidates] = piece;
      const frame = made();
      const rows = candidates.map((candidate, number) =>
        row(candidate, candidate[0] === text, () => {
          hide();
          take(number);
        }),
      );
      const heading = element("p", {}, element("span", { className: "word" }, shown(text)), ` ${logprob === null ? "" : percent(logprob)}`);
      frame.setAttribute("aria-label", window.text("In place of {word}", { word: shown(text) }));
      const hint = candidates.length ? window.text("Take this word instead:") : window.text("No alternatives are known.");
      frame.replaceChildren(heading, element("p", { className: "hint" }, hint), element("ul", {}, ...rows));
      if (!frame.matches(":popover-open")) frame.showPopover();
      put(anchor);
      anchor.setAttribute("aria-expanded", "true");
    },
    hideSoon,
    hide,
    enter() { panel?.querySelector("button:not(:disabled)")?.focus(); },
    get token() { return token; },
  };
})();
