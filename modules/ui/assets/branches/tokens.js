// Words of replies, tinted by how likely each was. In place of a rendered reply stands its text as the model wrote it:
// only there has each token a place of its own.
(() => {
  "use strict";
  const HOVER_MS = 120;
  const NEAR = "600px 0px";
  // Probabilities below which a word is tinted, the weakest tint first.
  const STEPS = [0.9, 0.6, 0.3, 0.1];
  /** @type {typeof window.overlay.element} */
  const element = (tag, properties, ...children) => window.overlay.element(tag, properties, ...children);
  /** @type {Map<string, TokenPiece[]>} */
  const known = new Map();
  /** @type {Set<string>} */
  const wanted = new Set();
  /** @type {WeakMap<Element, TokenPiece[]>} */
  const piecesOf = new WeakMap();
  let isOn = false;
  /** @type {Send} */
  let ask = () => {};
  /** @type {Send} */
  let act = () => {};

  /** @param {number} logprob */
  const tint = (logprob) => STEPS.filter((step) => Math.exp(logprob) < step).length;
  /** @param {TokenPiece} piece */
  const spoken = ([text, logprob]) => `${text.trim() || "blank"}, ${Math.round(100 * Math.exp(logprob ?? 0))} %`;

  /** @param {TokenPiece} piece @param {number} number */
  const tokenOf = (piece, number) => {
    const [text, logprob] = piece;
    if (logprob === null) return text;
    const isBreak = text.includes("\n") && !text.trim();
    const made = element("span", {
      className: `token t${tint(logprob)}${isBreak ? " is-break" : ""}`, role: "button", tabIndex: -1, title: spoken(piece),
      "aria-label": spoken(piece), "aria-haspopup": "true",
    });
    made.dataset.number = String(number);
    made.textContent = text;
    return made;
  };

  /** @param {Element | null} message */
  const clear = (message) => {
    message?.querySelector(":scope > .token-text")?.remove();
    message?.classList.remove("has-tokens");
  };

  /** @param {Element} message @param {string} key @param {TokenPiece[]} pieces */
  const draw = (message, key, pieces) => {
    const old = message.querySelector(":scope > .token-text");
    if (old?.dataset.key === key) return old;
    const made = element("div", { className: "token-text", role: "group", "aria-label": window.text("Words of the reply") });
    made.dataset.key = key;
    made.append(...pieces.map(tokenOf));
    piecesOf.set(made, pieces);
    made.querySelector(".token")?.setAttribute("tabindex", "0");
    old?.remove();
    message.append(made);
    message.classList.add("has-tokens");
    return made;
  };

  const askSoon = (() => {
    let isDue = false;
    return () => {
      if (isDue) return;
      isDue = true;
      queueMicrotask(() => {
        isDue = false;
        const keys = [...wanted].filter((key) => !known.has(key));
        if (keys.length) ask({ keys });
      });
    };
  })();

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting || !(entry.target instanceof HTMLElement)) continue;
      near.unobserve(entry.target);
      const key = entry.target.dataset.tokens;
      if (key && !wanted.has(key)) wanted.add(key) && askSoon();
    }
  }, { rootMargin: NEAR });

  /** @param {Element} bar */
  const messageOf = (bar) => {
    const messages = [...(bar.closest(".message-row")?.querySelectorAll("[data-testid=bot]") ?? [])];
    return messages.filter((each) => each.compareDocumentPosition(bar) & Node.DOCUMENT_POSITION_FOLLOWING).at(-1) ?? null;
  };

  const show = () => {
    const bars = document.querySelectorAll("#chat .message-buttons");
    const facts = window.chatPage.facts ?? [];
    document.body.classList.toggle("shows-tokens", isOn);
    if (bars.length !== facts.length) return;
    bars.forEach((bar, index) => {
      const { k: key, s: side } = facts[index];
      if (side !== "assistant") return;
      const message = messageOf(bar);
      if (!isOn || !key) {
        clear(message);
        return;
      }
      const pieces = known.get(key);
      if (pieces?.length && message) draw(message, key, pieces).dataset.index = String(index);
      else if (!pieces && bar.dataset.tokens !== key) {
        bar.dataset.tokens = key;
        near.observe(bar);
      }
    });
  };
  let isDue = false;
  const showSoon = () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      show();
    });
  };

  /** @param {EventTarget | null} target @returns {HTMLElement | null} */
  const tokenAt = (target) => (target instanceof Element ? target.closest("#chat .token") : null);
  /** @param {HTMLElement} token @param {boolean} isPinned */
  const open = (token, isPinned) => {
    const text = token.closest(".token-text");
    const piece = text && piecesOf.get(text)?.[Number(token.dataset.number)];
    if (!text || !piece) return;
    const take = (/** @type {number} */ candidate) =>
      act({ act: "take", index: Number(text.dataset.index), start: piece[2], candidate });
    window.tokenPopover.show(token, piece, take, isPinned);
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let hovering;
  document.addEventListener("pointerover", (event) => {
    const token = tokenAt(event.target);
    clearTimeout(hovering);
    if (event.pointerType !== "mouse") return;
    if (token) hovering = setTimeout(() => open(token, false), HOVER_MS);
    else if (window.tokenPopover.token && !(event.target instanceof Element && event.target.closest("#token-popover"))) window.tokenPopover.hideSoon();
  });
  document.addEventListener("focusin", (event) => {
    const token = tokenAt(event.target);
    if (token?.matches(":focus-visible")) open(token, true);
  });
  document.addEventListener("focusout", (event) => {
    const next = event.relatedTarget instanceof Element ? event.relatedTarget : null;
    if (tokenAt(event.target) && !next?.closest("#token-popover, .token")) window.tokenPopover.hide();
  });
  document.addEventListener("click", (event) => {
    const token = tokenAt(event.target);
    if (token) open(token, true);
  });

  /** @param {HTMLElement} token @param {string} key */
  const neighbour = (token, key) => {
    const all = [...(token.closest(".token-text")?.querySelectorAll(".token") ?? [])];
    const at = all.indexOf(token);
    const places = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 };
    return key in places ? all[places[/** @type {keyof typeof places} */ (key)]] : undefined;
  };
  document.addEventListener("keydown", (event) => {
    const token = tokenAt(document.activeElement);
    if (!token || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = neighbour(token, event.key);
    if (next) {
      token.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if (event.key === "Enter" || event.key === " " || event.key === "ArrowDown") {
      open(token, true);
      window.tokenPopover.enter();
    } else if (event.key === "Escape") window.tokenPopover.hide();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.addEventListener("scroll", () => { if (window.tokenPopover.token) window.tokenPopover.hide(); }, { capture: true, passive: true });

  window.tokenView = {
    connect(asks, acts, value) {
      [ask, act] = [asks, acts];
      this.apply(value());
    },
    apply(value) {
      /** @type {{on?: boolean, tokens?: Record<string, TokenPiece[]>}} */
      const told = JSON.parse(value || "{}");
      if (told.on !== undefined) isOn = told.on;
      for (const [key, pieces] of Object.entries(told.tokens ?? {})) {
        // What is not there is asked for again when it is seen again.
        if (pieces.length) known.set(key, pieces);
        wanted.delete(key);
      }
      showSoon();
    },
  };
  const watch = () => {
    const chat = document.getElementById("chat");
    if (!chat) setTimeout(watch, 50);
    else new MutationObserver(showSoon).observe(chat, { childList: true, subtree: true });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
