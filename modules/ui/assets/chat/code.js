// Blocks of code: the language's name, and buttons that wrap, save and copy; long ones are folded.
(() => {
  "use strict";
  const LONG = 60;
  /** @type {Record<string, string>} */
  const ENDINGS = {
    python: "py", javascript: "js", typescript: "ts", bash: "sh", shell: "sh", markdown: "md", html: "html", css: "css",
    json: "json", yaml: "yaml", rust: "rs", go: "go", java: "java", c: "c", cpp: "cpp", csharp: "cs", sql: "sql", svg: "svg",
  };
  /** @param {string} label @param {() => void} act */
  const button = (label, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "code-act", textContent: label });
    made.addEventListener("click", act);
    return made;
  };
  /** @param {Element} code @param {string} language */
  const save = (code, language) => {
    const link = Object.assign(document.createElement("a"), {
      href: URL.createObjectURL(new Blob([code.textContent ?? ""], { type: "text/plain" })),
      download: `code.${ENDINGS[language] ?? "txt"}`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  /** @param {Element} block @param {Element} made */
  const wrap = (block, made) => {
    const isOn = block.classList.toggle("is-wrapped");
    made.setAttribute("aria-pressed", String(isOn));
  };
  /** @param {Element} block @param {number} lines */
  const fold = (block, lines) => {
    block.classList.add("is-folded");
    const all = window.text("Show all {lines} lines", { lines });
    const made = button(all, () => {
      const isFolded = block.classList.toggle("is-folded");
      made.textContent = isFolded ? all : window.text("Show less");
      made.setAttribute("aria-expanded", String(!isFolded));
    });
    made.setAttribute("aria-expanded", "false");
    made.classList.add("code-more");
    block.append(made);
  };
  /** @param {HTMLElement} block */
  const head = (block) => {
    block.dataset.head = "";
    const code = block.querySelector("code");
    if (!code) return;
    const language = /language-(\S+)/.exec(code.className)?.[1] ?? "";
    const made = document.createElement("div");
    made.className = "code-head";
    /** @type {HTMLButtonElement} */
    const wrapping = button(window.text("Wrap"), () => wrap(block, wrapping));
    wrapping.setAttribute("aria-pressed", "false");
    const saving = button(window.text("Download"), () => save(code, language));
    made.append(Object.assign(document.createElement("span"), { className: "code-language", textContent: language || "text" }), wrapping, saving);
    block.prepend(made);
    const copy = block.querySelector(".copy_code_button");
    copy?.setAttribute("aria-label", window.text("Copy code"));
    // Gradio would copy all that stands beside its button, the language's name and the other buttons, too.
    copy?.addEventListener("click", (event) => {
      event.stopPropagation();
      navigator.clipboard?.writeText(code.textContent?.trim() ?? "");
      const sign = copy.querySelector(".check");
      if (!sign) return;
      sign.style.opacity = "1";
      setTimeout(() => { sign.style.opacity = "0"; }, 2000);
    });
    if (copy) made.append(copy);
    const lines = (code.textContent ?? "").trimEnd().split("\n").length;
    if (lines > LONG) fold(block, lines);
  };
  const watch = () => {
    const chat = document.getElementById("chat");
    if (!chat) return void setTimeout(watch, 50);
    const look = () => chat.querySelectorAll(".code_wrap:not([data-head])").forEach(head);
    let isAsked = false;
    new MutationObserver(() => {
      if (isAsked) return;
      isAsked = true;
      requestAnimationFrame(() => {
        isAsked = false;
        look();
      });
    }).observe(chat, { childList: true, subtree: true });
    look();
  };
  watch();
})();
