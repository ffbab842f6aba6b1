// Replies are read aloud, sentence by sentence, also while they are written.
(() => {
  "use strict";
  const LOOK_MS = 120;
  // A model that was not used for longer may have been unloaded.
  const PREPARED_MS = 60_000;
  /** @typedef {{ text: string, isOver: boolean }} Source */
  /** @param {string} id */
  const byId = (id) => document.getElementById(id);
  /** @param {number} milliseconds @returns {Promise<void>} */
  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const address = () => new URL("speech", document.baseURI.replace(/[?#].*$/, ""));

  // ---- Sounds one behind the other, in one audio element: whoever allowed it to play once allowed it for all.
  class PlaybackQueue {
    /** @type {{ url: string, silence: number }[]} */
    waiting = [];
    isPlaying = false;
    isEnded = false;
    /** @type {unknown} */
    refused = null;
    /** What is heard is over, or nobody waits for it any more. */
    done = () => {};
    get element() {
      const found = byId("spoken");
      if (found instanceof HTMLAudioElement) return found;
      const made = Object.assign(document.createElement("audio"), { id: "spoken" });
      document.body.append(made);
      return made;
    }
    /** @param {Blob} sound @param {number} silence */
    add(sound, silence) {
      this.waiting.push({ url: URL.createObjectURL(sound), silence });
      if (!this.isPlaying) this.play();
    }
    async play() {
      this.isPlaying = true;
      for (let next; !this.isEnded && (next = this.waiting.shift()); ) {
        const { url, silence } = next;
        /** @type {Promise<void>} */
        const heard = new Promise((done) => {
          this.done = done;
          Object.assign(this.element, { onended: () => done(), onerror: () => done() });
        });
        this.element.src = url;
        try {
          await this.element.play();
          await heard;
          await pause(silence * 1000);
        } catch (error) {
          if (!this.isEnded) this.refused = error;
          break;
        } finally {
          URL.revokeObjectURL(url);
        }
      }
      this.isPlaying = false;
    }
    async drained() {
      while (!this.isEnded && !this.refused && (this.isPlaying || this.waiting.length)) await pause(LOOK_MS);
      if (this.refused) throw new Error(window.text("The browser does not let this page play sound. Press a button on the page first."));
    }
    end() {
      this.isEnded = true;
      for (const { url } of this.waiting.splice(0)) URL.revokeObjectURL(url);
      this.element.pause();
      this.done();
    }
  }

  // ---- What a message says, as it is shown, without what nobody would say.
  const SILENT = ".code_wrap, pre, button, .katex-mathml, .message-buttons, [aria-hidden=true]:not(.katex-html)";
  /** @param {HTMLElement | undefined} message */
  const wordsOf = (message) => {
    if (!message) return "";
    const copy = /** @type {HTMLElement} */ (message.cloneNode(true));
    for (const each of copy.querySelectorAll(SILENT)) each.remove();
    copy.style.cssText = "position: absolute; left: -9999px; width: 600px; max-height: none";
    document.body.append(copy);
    const words = copy.innerText;
    copy.remove();
    return words;
  };
  /** @param {Element} message */
  const isThought = (message) => Boolean(message.closest(".thought-group, .thought"));
  /** @param {string} place */
  const lastOf = (place) =>
    [...document.querySelectorAll(`#${place} .bot-row [data-testid=bot]`)].filter((message) => !isThought(message)).at(-1);
  // Not what is written in the user's place.
  const isWriting = () => Boolean(document.querySelector("#box:not(.is-filled-in) .stop-button"));

  // ---- Readings: of one message, or of the reply that is being written. There is one at a time.
  /**
   * @typedef {object} Reading
   * @property {() => Source} source
   * @property {string | null} button what the bar of its message says of it
   * @property {AbortController} control
   * @property {PlaybackQueue} queue
   * @property {string} tried
   * @property {boolean} hasBegun
   */
  /** @type {Reading | null} */
  let current = null;
  /** @param {Reading} reading */
  const isOf = (reading) => reading === current;
  /** @param {Reading} reading @param {string} text @param {boolean} isOver */
  const send = async (reading, text, isOver) => {
    const answer = await fetch(address(), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text, is_first: !reading.hasBegun, is_over: isOver, character: characterNow() }),
      signal: reading.control.signal,
    });
    if (!answer.ok || !answer.body) throw new Error((await answer.json().catch(() => ({}))).message ?? window.text("The reply cannot be read aloud."));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let taken = 0;
    for (let rest = "", done = false, value; !done; ) {
      ({ done, value } = await reader.read());
      const lines = (rest + (value ?? "")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines.filter(Boolean).map((each) => JSON.parse(each))) {
        taken = line.taken ?? taken;
        if (!line.sound) continue;
        reading.hasBegun = true;
        reading.queue.add(await (await fetch(`data:audio/mpeg;base64,${line.sound}`)).blob(), line.pause);
      }
    }
    return taken;
  };
  const characterNow = () => {
    const isChat = /** @type {HTMLInputElement | null} */ (document.querySelector("#mode input:checked"))?.value !== "instruct";
    return isChat ? (document.querySelector("#character input")?.value ?? null) : null;
  };
  // Marks of what is not finished yet come and go, so what was read is found by its last words.
  /** @param {string} text @param {string} read */
  const behind = (text, read) => {
    if (text.startsWith(read)) return text.slice(read.length);
    const tail = read.trimEnd().slice(-24);
    const at = tail ? text.lastIndexOf(tail) : -1;
    return at < 0 ? text.slice(read.length) : text.slice(at + tail.length);
  };
  /** @param {string} text */
  const mayHoldSentence = (text) => /[.!?…][^\w]*\s\s*\S|[。！？]|\n\s*\S/.test(text);
  /** @param {Reading} reading */
  const read = async (reading) => {
    let seen = "";
    for (;;) {
      const { text, isOver } = reading.source();
      const rest = behind(text, seen);
      if (isOver || (mayHoldSentence(rest) && rest !== reading.tried)) {
        reading.tried = rest;
        const taken = rest.trim() ? await send(reading, rest, isOver) : 0;
        seen = text.slice(0, text.length - rest.length + taken);
        if (isOver) return;
      } else {
        await pause(LOOK_MS);
      }
      if (!isOf(reading)) return;
    }
  };
  // Has the model of the voice loaded; says what to do where there is none.
  const ask = async () => {
    const asked = address();
    const character = characterNow();
    if (character) asked.searchParams.set("character", character);
    return (await (await fetch(asked)).json()).message;
  };
  // Before there is anything to read. What fails is told when there is.
  let prepared = -Infinity;
  const prepare = () => {
    if (Date.now() - prepared < PREPARED_MS) return;
    prepared = Date.now();
    ask().catch(() => { prepared = -Infinity; });
  };
  /** @param {() => Source} source @param {string | null} [button] */
  const start = async (source, button = null) => {
    stop();
    /** @type {Reading} */
    const reading = (current = {
      source, button, control: new AbortController(), queue: new PlaybackQueue(), tried: "", hasBegun: false,
    });
    show();
    try {
      const missing = await ask();
      if (missing) throw new Error(missing);
      await read(reading);
      await reading.queue.drained();
    } catch (error) {
      if (isOf(reading)) window.voiceLine?.fail(error);
    }
    if (isOf(reading)) stop();
  };
  const stop = () => {
    const reading = current;
    current = null;
    reading?.control.abort();
    reading?.queue.end();
    show();
  };
  const show = () => {
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".message-act.read-aloud"))) {
      const isOn = current?.button === button.closest(".message-buttons")?.dataset.read;
      const isReading = Boolean(isOn && current);
      const words = isReading ? window.text("Stop reading") : window.text("Read aloud");
      if (button.title === words) continue;
      button.title = words;
      button.setAttribute("aria-label", words);
      button.setAttribute("aria-pressed", String(isReading));
      const icon = button.querySelector(".icon");
      if (icon) icon.className = `icon icon-${isReading ? "stop" : "volume-2"}`;
    }
    document.body.classList.toggle("is-reading", Boolean(current));
  };

  // What stands in the place of words while there are none.
  const READING = window.text("Processing the prompt … {share}").split("{share}")[0] ?? "";
  /** @param {string} words */
  const hasBegun = (words) => words !== "…" && !words.startsWith(READING.trim());

  // The reply to come: nothing is read before it has begun, and then what stood there before is not.
  const begin = () => {
    const before = document.querySelectorAll("#chat .bot-row [data-testid=bot]").length;
    const begun = Date.now();
    let wasWriting = false;
    start(() => {
      const writing = isWriting();
      wasWriting ||= writing;
      const live = lastOf("live");
      if (live) return { text: hasBegun(wordsOf(live)) ? wordsOf(live) : "", isOver: false };
      const isThere = document.querySelectorAll("#chat .bot-row [data-testid=bot]").length > before || wasWriting;
      const isOver = !writing && isThere;
      return { text: isOver ? wordsOf(lastOf("chat")) : "", isOver: isOver || (!writing && Date.now() - begun > 120_000) };
    });
  };
  window.readAloud = {
    begin,
    prepare,
    stop,
    get isSpeaking() { return Boolean(current); },
    toggle(message, key) {
      if (current?.button === key) return stop();
      return start(() => ({ text: wordsOf(message), isOver: true }), key);
    },
    show,
  };

  // ---- Every reply is read where that was chosen; a stop of the reply stops its reading.
  const isWanted = () => document.querySelector("#read-replies input")?.checked ?? false;
  let wrote = false;
  const look = () => {
    const writing = isWriting();
    if (writing && !wrote && isWanted() && !current) begin();
    wrote = writing;
  };
  // Where a reply that is written begins and ends to be seen.
  const watch = () => {
    const box = byId("box");
    if (!box) return void setTimeout(watch, 100);
    new MutationObserver(look).observe(box, { childList: true, subtree: true });
  };
  watch();
  document.addEventListener("click", (event) => {
    if (event.target?.closest?.("#box .stop-button, #new-chat, #new-incognito, #past-chats .chat-row")) stop();
    if (!event.target?.closest?.("#read-replies")) return;
    if (isWanted()) prepare();
    else stop();
  });
  document.addEventListener("input", (event) => {
    if (event.target?.closest?.("#box") && isWanted()) prepare();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && current) stop();
  }, true);
  window.addEventListener("pagehide", stop);
})();
