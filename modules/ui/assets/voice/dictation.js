// Dictation: what is said into the microphone stands in the message box.
(() => {
  "use strict";
  const LONGEST_SECONDS = 1800;
  /** @typedef {{ frames: Float32Array[], control: AbortController, microphone: OpenMicrophone | null, isOver: boolean }} Take */
  /** @param {string} id */
  const byId = (id) => document.getElementById(id);
  /** @type {Take | null} */
  let take = null;

  // ---- One line above the box says what is going on, also to those who do not see it.
  const line = () => {
    let found = byId("voice-line");
    if (!found) {
      found = Object.assign(document.createElement("div"), { id: "voice-line" });
      const meter = Object.assign(document.createElement("span"), { className: "meter" });
      meter.append(document.createElement("span"));
      const words = Object.assign(document.createElement("span"), { className: "words" });
      words.setAttribute("role", "status");
      const close = Object.assign(document.createElement("button"), { type: "button", textContent: "×", className: "close" });
      close.setAttribute("aria-label", window.text("Close"));
      close.addEventListener("click", () => window.voiceLine.hide());
      found.append(meter, words, close);
      byId("composer")?.prepend(found);
    }
    return found;
  };
  /** @param {string} words @param {string} [kind] */
  const say = (words, kind = "") => {
    const found = line();
    found.dataset.kind = kind;
    const said = found.querySelector(".words");
    if (said) said.textContent = words;
  };
  /** @param {number} loudness */
  const level = (loudness) => {
    const share = Math.max(0, Math.min(1, 1 + Math.log10(Math.max(loudness, 1e-4)) / 2.5));
    const bar = line().querySelector(".meter > span");
    if (bar) bar.style.scale = `${share.toFixed(2)} 1`;
  };
  const hide = () => byId("voice-line")?.remove();
  window.voiceLine = { say, level, hide, fail: (error) => say(error instanceof Error ? error.message : String(error), "failed") };

  // ---- The box.
  /** @param {string} text */
  const insert = (text) => {
    const box = document.querySelector("#box textarea");
    if (!box || !text) return;
    const before = box.value.slice(0, box.selectionStart);
    const after = box.value.slice(box.selectionEnd);
    const begin = before && !/\s$/.test(before) ? " " : "";
    const end = after && !/^\s/.test(after) ? " " : "";
    box.value = before + begin + text + end + after;
    const caret = before.length + begin.length + text.length;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
    box.setSelectionRange(caret, caret);
  };

  // ---- One take: begun, heard, transcribed.
  /** @param {boolean} isOn */
  const show = (isOn) => {
    const button = byId("dictate");
    button?.setAttribute("aria-pressed", String(isOn));
    if (button) button.textContent = isOn ? window.text("Stop dictating") : window.text("Dictate");
  };
  /** @param {number} seconds */
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  /** @param {Take} mine */
  const leave = (mine) => {
    mine.microphone?.close();
    if (take !== mine) return false;
    take = null;
    show(false);
    return true;
  };
  const begin = async () => {
    /** @type {Take} */
    const mine = (take = { frames: [], control: new AbortController(), microphone: null, isOver: false });
    show(true);
    say(window.text("The microphone is being opened…"));
    try {
      await window.microphone.prepare();
      mine.microphone = await window.microphone.open((frame) => {
        if (mine.isOver || take !== mine) return;
        mine.frames.push(frame);
        const seconds = mine.frames.length / window.microphone.FRAMES_A_SECOND;
        if (mine.frames.length % 5 === 0) level(window.microphone.loudness(frame));
        if (mine.frames.length % window.microphone.FRAMES_A_SECOND === 1) say(window.text("Listening {time}", { time: clock(seconds) }), "listening");
        if (seconds >= LONGEST_SECONDS) end();
      });
      if (take !== mine) mine.microphone.close();
    } catch (error) {
      if (leave(mine)) window.voiceLine.fail(error);
    }
  };
  const end = async () => {
    const mine = take;
    if (!mine || mine.isOver || !mine.microphone) return cancel();
    mine.isOver = true;
    mine.microphone.close();
    say(window.text("Writing down what was said…"), "working");
    try {
      const text = await window.microphone.transcribe(mine.frames, mine.microphone.rate, mine.control.signal);
      if (!leave(mine)) return;
      if (text) hide();
      else say(window.text("Nothing was heard."), "failed");
      insert(text);
    } catch (error) {
      if (leave(mine)) window.voiceLine.fail(error);
    }
  };
  const cancel = () => {
    if (!take) return;
    take.control.abort();
    leave(take);
    hide();
  };
  window.dictation = { cancel };

  document.addEventListener("click", (event) => {
    if (!event.target?.closest?.("#dictate")) return;
    window.call?.end();
    if (take) end();
    else begin();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !take) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    cancel();
  }, true);
})();
