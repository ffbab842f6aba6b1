// Character cards and lorebooks that are dropped anywhere on the page; other files go on to where they were dropped.
(() => {
  "use strict";
  const CARD_KEYS = ["chara", "ccv3"];
  const MOST_BYTES = 64 * 2 ** 20;
  /** @type {Send} */
  let send = () => {};
  const handedOn = new WeakSet();

  /** Whether a PNG carries a card, by its texts. @param {ArrayBuffer} buffer */
  const carriesCard = (buffer) => {
    const bytes = new Uint8Array(buffer);
    const view = new DataView(buffer);
    /** @param {number} start @param {number} end */
    const text = (start, end) => String.fromCharCode(...bytes.subarray(start, end));
    for (let place = 8; place + 8 <= bytes.length; ) {
      const end = place + 8 + view.getUint32(place);
      const kind = text(place + 4, place + 8);
      if (kind === "IEND" || end > bytes.length) return false;
      const key = /^(?:tEXt|zTXt|iTXt)$/.test(kind) ? (text(place + 8, Math.min(end, place + 24)).split("\0")[0] ?? "") : "";
      if (CARD_KEYS.includes(key.toLowerCase())) return true;
      place = end + 4;
    }
    return false;
  };

  /** @param {any} value */
  const isCard = (value) =>
    Boolean(value && typeof value === "object" &&
      (/^(?:chara_card|lorebook)_v/.test(value.spec) || value.data?.first_mes !== undefined || value.first_mes !== undefined ||
        value.char_name || value.char_persona || (value.entries && typeof value.entries === "object")));

  /** @param {File} file */
  const isImport = async (file) => {
    const name = file.name.toLowerCase();
    if (file.size > MOST_BYTES) return false;
    if (name.endsWith(".charx")) return true;
    if (document.documentElement.dataset.section === "character-tab") return /\.(?:png|json|ya?ml|webp|jpe?g)$/.test(name);
    try {
      if (name.endsWith(".png")) return carriesCard(await file.arrayBuffer());
      if (name.endsWith(".json")) return isCard(JSON.parse(await file.text()));
    } catch {
      // What cannot be read is no card.
    }
    return false;
  };

  /** @param {File} file */
  const upload = (file) => {
    const input = document.querySelector("#card-drop input[type=file]");
    if (!(input instanceof HTMLInputElement)) return;
    const carried = new DataTransfer();
    carried.items.add(file);
    input.files = carried.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };

  /** @param {EventTarget | null} target @param {File[]} files */
  const handOn = (target, files) => {
    const carried = new DataTransfer();
    for (const file of files) carried.items.add(file);
    const again = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: carried });
    handedOn.add(again);
    target?.dispatchEvent(again);
  };

  /** @param {DragEvent} event */
  const isOfFiles = (event) => event.dataTransfer?.types?.includes("Files");
  document.addEventListener("dragover", (event) => {
    // Without this the browser would open the file in place of the page.
    if (isOfFiles(event)) event.preventDefault();
  });
  document.addEventListener("drop", async (event) => {
    if (handedOn.has(event) || !isOfFiles(event)) return;
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.some((file) => /\.(?:png|json|charx|ya?ml|webp|jpe?g)$/i.test(file.name))) return;
    const { target } = event;
    event.preventDefault();
    event.stopImmediatePropagation();
    /** @type {File[]} */
    const others = [];
    for (const file of files) {
      if (await isImport(file)) upload(file);
      else others.push(file);
    }
    if (others.length) handOn(target, others);
  }, true);

  /** @param {string[]} notes */
  const list = (notes) => {
    const make = window.overlay.element;
    return make("ul", { className: "card-notes" }, ...notes.map((note) => make("li", { textContent: note })));
  };
  /** @typedef {{ title: string, text: string, talk?: boolean, asks?: boolean }} About */
  /** By what has become of a file. @type {Record<string, (news: any) => About>} */
  const ABOUT = {
    added: (news) => ({ title: window.text("{name} is imported", { name: news.name }), text: "", talk: true }),
    known: (news) => ({
      title: window.text("{name} is here already", { name: news.name }),
      text: window.text("The file says the same as the character that you have."), talk: true,
    }),
    taken: (news) => ({
      title: window.text("There is a character called {name}", { name: news.file }),
      text: window.text("The file holds another version of it."), asks: true,
    }),
    lorebook: (news) => ({
      title: window.text("The lorebook {name} is imported", { name: news.file }),
      text: window.text("It has {count} entries. Choose it under Lorebooks in the chat's settings.", { count: news.entries }),
    }),
    failed: (news) => ({ title: window.text("The file was not imported"), text: news.message }),
  };

  window.cardDrop = {
    connect(trigger) {
      send = trigger;
    },
    upload,
    tell(value) {
      if (!value) return;
      const news = JSON.parse(value);
      const about = ABOUT[news.kind]?.(news);
      if (!about) return;
      const make = window.overlay.element;
      const notes = [...(news.notes ?? []), ...(news.unused?.length ? [window.text("kept but not used: {names}", { names: news.unused.join(", ") })] : [])];
      window.overlay.open({
        title: about.title,
        size: "small",
        content: make("div", {}, about.text && make("p", { textContent: about.text }), notes.length > 0 && list(notes)),
        actions: about.asks
          ? [
              { label: window.text("Cancel") },
              { label: window.text("Keep both"), act: () => send({ act: "both" }) },
              { label: window.text("Replace"), kind: "primary", act: () => send({ act: "replace" }) },
            ]
          : about.talk
            ? [{ label: window.text("Close") }, { label: window.text("Talk"), kind: "primary", act: () => window.talkTo(news.file) }]
            : [{ label: window.text("Close"), kind: "primary" }],
      });
    },
  };
})();
