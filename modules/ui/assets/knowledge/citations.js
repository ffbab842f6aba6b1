// Citations: a press on [3] in a reply opens the passage. Names of collections come from the same bridge.
(() => {
  "use strict";
  /** @typedef {{names: string[], asked?: number, number?: number, place?: string, heading?: string, text?: string,
   *   url?: string, problem?: string}} KnowledgeAnswer */
  /** @type {(act: object) => void} */
  let send = () => {};
  /** @type {string[]} */
  let names = [];
  let asked = 0;

  /** @param {KnowledgeAnswer} answer */
  const show = (answer) => {
    const { element } = window.overlay;
    const place = answer.problem ? null : element("p", { className: "passage-place" },
      answer.url
        ? element("a", { href: answer.url, target: "_blank", rel: "noopener noreferrer", textContent: answer.place })
        : element("strong", { textContent: answer.place }),
      answer.heading ? element("span", { textContent: answer.heading }) : null);
    window.overlay.open({
      title: window.text("Source {number}", { number: answer.number ?? "" }),
      kind: "sheet",
      className: "passage",
      content: element("div", {}, place, element("div", { className: "passage-text", textContent: answer.problem ?? answer.text })),
    });
  };

  window.knowledge = {
    get names() { return names; },
    connect(trigger, value) {
      send = trigger;
      this.apply(value());
    },
    apply(value) {
      /** @type {KnowledgeAnswer} */
      let answer;
      try {
        answer = JSON.parse(value || "{}");
      } catch {
        return;
      }
      names = answer.names ?? names;
      document.dispatchEvent(new Event("knowledge-names"));
      // An answer that is shown once is not shown again when the page is drawn anew.
      if (answer.asked !== asked || !answer.number) return;
      asked = 0;
      show(answer);
    },
    refresh() { send({ names: true }); },
    cite(number) {
      asked = Date.now();
      send({ cite: number, at: asked });
    },
  };

  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest('#chat a[href*="#cite-"]') : null;
    const number = link ? /#cite-(\d+)$/.exec(link.getAttribute("href") ?? "") : null;
    if (!number) return;
    event.preventDefault();
    event.stopPropagation();
    window.knowledge.cite(Number(number[1]));
  }, true);
})();
