// Code that can be seen at work: HTML, SVG, diagrams and Markdown out of replies, in a pane at the right.
(() => {
  "use strict";
  const KINDS = /** @type {const} */ ({ html: "HTML", svg: "SVG", mermaid: window.text("Diagram"), markdown: "Markdown" });
  const ENDINGS = { html: "html", svg: "svg", mermaid: "mmd", markdown: "md" };
  const TYPES = { html: "text/html", svg: "image/svg+xml", mermaid: "text/plain", markdown: "text/markdown" };
  const DRAWING_MS = 5000;
  // Narrower windows are filled by the pane.
  const BESIDE = 900;
  /** @typedef {keyof typeof KINDS} Kind */
  /** @typedef {{kind: Kind, source: string, title: string, block: Element}} Artifact */
  /** @type {typeof window.overlay.element} */
  const element = (tag, properties, ...children) => window.overlay.element(tag, properties, ...children);
  /** @type {WeakMap<Element, string>} */
  const diagrams = new WeakMap();
  /** @type {Send} */
  let ask = () => {};
  /** @type {Map<string, (html: string) => void>} */
  const waiting = new Map();

  // ---- What there is to show.
  /** What was written, not how it was kept from being taken for markup.
   * @param {Element} code */
  const written = (code) => (code.textContent ?? "").replaceAll("&#60;", "<").replaceAll("\u2063", "");
  /** @param {string} language @param {string} source @returns {Kind | null} */
  const kindOf = (language, source) => {
    if (["html", "htm", "xhtml"].includes(language)) return "html";
    if (language === "svg" || (["xml", ""].includes(language) && /^\s*(<\?xml[^>]*>\s*)?<svg[\s>]/i.test(source))) return "svg";
    if (["md", "markdown"].includes(language)) return "markdown";
    if (language === "mermaid") return "mermaid";
    return !language && /^\s*<(!doctype html|html)[\s>]/i.test(source) ? "html" : null;
  };
  /** @param {Kind} kind @param {string} source */
  const titleOf = (kind, source) => {
    const found = kind === "markdown" ? /^#+\s+(.+)$/m.exec(source) : /<title[^>]*>([^<]{1,80})<\/title>/i.exec(source);
    return found?.[1]?.trim() || KINDS[kind];
  };
  /** @param {Element} block @returns {Artifact | null} */
  const artifactOf = (block) => {
    if (block.matches(".mermaid")) {
      const source = diagrams.get(block) ?? "";
      return { kind: "mermaid", source, title: KINDS.mermaid, block };
    }
    const code = block.querySelector("code");
    if (!code) return null;
    const language = /language-(\w+)/.exec(`${code.className} ${code.parentElement?.className ?? ""}`)?.[1]?.toLowerCase() ?? "";
    const source = written(code);
    const kind = kindOf(language, source);
    return kind && { kind, source, title: titleOf(kind, source), block };
  };
  const all = () => {
    /** @type {Artifact[]} */
    const found = [];
    for (const block of document.querySelectorAll("#chat .code_wrap, #chat .mermaid")) {
      const artifact = artifactOf(block);
      if (artifact) found.push(artifact);
    }
    return found;
  };

  // ---- The pane.
  /** @type {{pane: HTMLElement, shown: Artifact, showsSource: boolean, isNewest: boolean} | null} */
  let open = null;
  /** @type {HTMLElement | null} */
  let opener = null;
  const versions = () => (open ? all().filter((each) => each.kind === open?.shown.kind) : []);

  /** @param {string} label @param {string} icon @param {() => void} act */
  const action = (label, icon, act) => {
    const button = element("button", { type: "button", className: "icon-only", title: label, "aria-label": label }, element("i", { className: `icon icon-${icon}` }));
    button.addEventListener("click", act);
    return button;
  };
  /** Beside the pane, where there is room for both. */
  const makeRoom = () => {
    const frame = document.getElementById("frame");
    const room = open && innerWidth >= BESIDE ? `${innerWidth - open.pane.offsetWidth}px` : "";
    frame?.style.setProperty("width", room, room && "important");
  };
  window.addEventListener("resize", makeRoom);
  const close = () => {
    open?.pane.remove();
    open = null;
    makeRoom();
    document.documentElement.removeAttribute("data-artifact");
    if (opener?.isConnected) opener.focus();
  };
  /** @param {Artifact} artifact */
  const save = (artifact) => {
    const url = URL.createObjectURL(new Blob([artifact.source], { type: TYPES[artifact.kind] }));
    const link = element("a", { href: url, download: `${artifact.title.replace(/[^\p{L}\p{N}._ -]/gu, "_")}.${ENDINGS[artifact.kind]}` });
    link.click();
    URL.revokeObjectURL(url);
  };
  /** @param {number} step */
  const turn = (step) => {
    const list = versions();
    const place = list.findIndex((each) => each.block === open?.shown.block) + step;
    if (open && list[place]) draw(list[place], open.showsSource);
  };

  /** @param {Artifact} artifact @returns {Promise<string>} */
  const contentOf = async (artifact) => {
    const { kind, source } = artifact;
    if (kind === "svg") return `<style>html,body{margin:0;height:100%}body{display:grid;place-items:center;background:#fff}svg{max-width:100%;max-height:100vh}</style>${source}`;
    if (kind === "html") return source;
    if (kind === "mermaid") return diagramOf(artifact);
    const html = await new Promise((/** @type {(html: string) => void} */ done) => {
      waiting.set(source, done);
      ask({ markdown: source });
    });
    return `<style>body{max-width:72ch;margin:24px auto;padding:0 16px;font:16px/1.6 system-ui,sans-serif;color:#1e293b;background:#fff}pre{padding:12px;overflow:auto;background:#f1f5f9;border-radius:8px}table{border-collapse:collapse}td,th{padding:4px 12px;border:1px solid #cbd5e1}img{max-width:100%}blockquote{margin-inline:0;padding-inline-start:16px;border-inline-start:3px solid #cbd5e1}</style>${html}`;
  };
  /** The chat draws it, a moment after its text is there.
   * @param {Artifact} artifact */
  const diagramOf = async (artifact) => {
    const end = performance.now() + DRAWING_MS;
    while (!artifact.block.querySelector("svg") && performance.now() < end) await new Promise((done) => setTimeout(done, 100));
    const drawn = artifact.block.querySelector("svg");
    const picture = drawn ? new XMLSerializer().serializeToString(drawn) : `<p>${window.text("This diagram cannot be drawn. Its source may have an error.")}</p>`;
    return `<style>html,body{margin:0;height:100%}body{display:grid;place-items:center;font:16px system-ui,sans-serif;background:#fff;color:#1e293b}svg{max-width:96vw!important;max-height:96vh;width:96vw;height:auto}</style>${picture}`;
  };

  /** @param {Artifact} artifact @param {boolean} showsSource */
  const draw = async (artifact, showsSource) => {
    const list = all().filter((each) => each.kind === artifact.kind);
    const place = list.findIndex((each) => each.block === artifact.block);
    const body = element("div", { className: "artifact-body" });
    const views = [false, true].map((isSource) => {
      const button = element("button", { type: "button", "aria-pressed": String(isSource === showsSource) }, isSource ? window.text("Source") : window.text("Preview"));
      button.addEventListener("click", () => draw(artifact, isSource));
      return button;
    });
    const numbers = list.length > 1 && element(
      "span", { className: "artifact-versions" },
      action(window.text("Earlier version"), "chevron-left", () => turn(-1)), `${place + 1}/${list.length}`, action(window.text("Later version"), "chevron-right", () => turn(1)),
    );
    const header = element(
      "header", {},
      element("h2", { title: artifact.title }, artifact.title), numbers,
      element("span", { className: "artifact-views", role: "group", "aria-label": window.text("View") }, ...views),
      action(window.text("Copy source"), "copy", () => navigator.clipboard.writeText(artifact.source)),
      action(window.text("Download"), "download", () => save(artifact)),
      action(window.text("Close preview"), "x", close),
    );
    const pane = open?.pane ?? element("aside", { id: "artifact", "aria-label": window.text("Preview") });
    if (!pane.isConnected) document.body.append(pane);
    const had = document.activeElement && pane.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent : window.text("Close preview");
    pane.replaceChildren(header, body);
    open = { pane, shown: artifact, showsSource, isNewest: place === list.length - 1 };
    document.documentElement.setAttribute("data-artifact", "");
    makeRoom();
    [...header.querySelectorAll("button")].find((each) => (each.getAttribute("aria-label") ?? each.textContent) === had)?.focus();
    if (showsSource) {
      body.append(element("pre", { tabIndex: 0 }, element("code", {}, artifact.source || window.text("The source is not known any more. Reload the page."))));
      return;
    }
    const content = await contentOf(artifact);
    if (open?.shown === artifact && body.isConnected) body.replaceChildren(window.sealedFrame(content, window.text("Preview of {title}", { title: artifact.title })));
  };

  // ---- Buttons at the blocks.
  /** @param {Artifact} artifact */
  const offer = ({ block, kind }) => {
    // The header comes a moment after the block.
    const head = block.querySelector(":scope > .code-head");
    const made = block.querySelector(".artifact-open");
    if (made) {
      if (head && made.parentElement !== head) head.insertBefore(made, head.children[1] ?? null);
      return;
    }
    // What stands in a diagram before it is drawn is taken for its source.
    if (kind === "mermaid" && block.matches(".mermaid") && !block.querySelector("svg")) return;
    const button = element("button", { type: "button", className: "artifact-open", title: window.text("Open preview"), "aria-label": window.text("Open preview: {kind}", { kind: KINDS[kind] }) }, "▷");
    button.addEventListener("click", () => {
      const artifact = artifactOf(block);
      opener = button;
      if (artifact) draw(artifact, false);
    });
    if (head) head.insertBefore(button, head.children[1] ?? null);
    else block.append(button);
  };
  const look = () => {
    for (const diagram of document.querySelectorAll(".mermaid:not([data-processed])")) diagrams.set(diagram, written(diagram));
    const found = all();
    found.forEach(offer);
    if (!open) return;
    // What the model has rewritten is shown, unless an earlier version is being looked at.
    const list = found.filter((each) => each.kind === open?.shown.kind);
    const newest = list.at(-1);
    if (open.shown.block.isConnected && !(open.isNewest && newest && newest.block !== open.shown.block)) return;
    const same = open.shown.block.isConnected ? undefined : list.find((each) => each.source === open?.shown.source);
    if (same) open.shown = same;
    else if (newest) draw(newest, open.showsSource);
    else close();
  };
  let isDue = false;
  const lookSoon = () => {
    for (const diagram of document.querySelectorAll(".mermaid:not([data-processed])")) diagrams.set(diagram, written(diagram));
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      look();
    });
  };

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !open || window.overlay.isOpen) return;
    const focused = document.activeElement;
    if (focused && focused !== document.body && !open.pane.contains(focused)) return;
    close();
    event.preventDefault();
    event.stopPropagation();
  }, true);
  window.artifacts = {
    connect(asks) { ask = asks; },
    apply(value) {
      /** @type {{source?: string, html?: string}} */
      const told = JSON.parse(value || "{}");
      if (told.source === undefined) return;
      waiting.get(told.source)?.(told.html ?? "");
      waiting.delete(told.source);
    },
  };
  const watch = () => {
    const scroller = document.getElementById("scroller");
    if (!scroller) {
      setTimeout(watch, 50);
      return;
    }
    lookSoon();
    new MutationObserver(lookSoon).observe(scroller, { childList: true, subtree: true });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
