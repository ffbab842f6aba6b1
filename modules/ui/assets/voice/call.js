// A call: what is said is sent, what comes back is spoken, and whoever speaks meanwhile interrupts it.
(() => {
  "use strict";
  const PER_SECOND = 50;
  // Kept from before the moment at which a voice is noticed, which takes a while.
  const BEFORE = PER_SECOND;
  const LONGEST = 60 * PER_SECOND;
  const WAIT_MS = 100;
  /** @param {string} id */
  const byId = (id) => document.getElementById(id);
  /** @returns {Promise<void>} */
  const pause = () => new Promise((done) => setTimeout(done, WAIT_MS));

  // Whether somebody speaks, by the loudness of frames and that of the silence between them. `hear` says "begin" and "end".
  class VoiceActivity {
    floor = 0.004;
    loud = 0;
    quiet = 0;
    isOn = false;
    /** A voice has to rise further above what the loudspeaker plays, and for longer.
     * @param {number} loudness @param {boolean} isPlaying */
    hear(loudness, isPlaying) {
      const begins = Math.max(0.01, this.floor * (isPlaying ? 5 : 3));
      const ends = Math.max(0.006, this.floor * 1.8);
      if (!this.isOn) this.floor += (loudness - this.floor) * (loudness < this.floor ? 0.2 : 0.005);
      this.floor = Math.max(this.floor, 0.0005);
      this.loud = loudness > begins ? this.loud + 1 : Math.max(0, this.loud - 1);
      this.quiet = loudness < ends ? this.quiet + 1 : 0;
      if (!this.isOn && this.loud >= (isPlaying ? 0.3 : 0.12) * PER_SECOND) {
        Object.assign(this, { isOn: true, loud: 0, quiet: 0 });
        return "begin";
      }
      if (this.isOn && this.quiet >= 0.8 * PER_SECOND) {
        Object.assign(this, { isOn: false, loud: 0 });
        return "end";
      }
      return null;
    }
  }

  /** @typedef {"" | "listening" | "hearing" | "working" | "replying" | "speaking"} Phase */
  /**
   * @typedef {object} Call
   * @property {Phase} phase
   * @property {number} turn
   * @property {Float32Array[]} frames
   * @property {Float32Array[]} pending
   * @property {VoiceActivity} voice
   * @property {AbortController} control
   * @property {OpenMicrophone | null} microphone
   */

  // ---- The conversation.
  const isWriting = () => Boolean(document.querySelector("#box .stop-button"));
  const stopReply = () => {
    window.readAloud?.stop();
    document.querySelector("#box .stop-button")?.click();
  };
  /** @param {Call} call @param {() => boolean} isTrue */
  const until = async (call, isTrue) => {
    while (call === current && !isTrue()) await pause();
    return call === current;
  };
  /** @param {Call} call @param {string} text */
  const submit = async (call, text) => {
    if (isWriting()) stopReply();
    // A reply that was interrupted is saved first.
    if (!(await until(call, () => !isWriting()))) return;
    const box = document.querySelector("#box textarea");
    if (!box) return;
    box.value = box.value.trim() ? `${box.value.trimEnd()} ${text}` : text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    const asked = document.querySelectorAll("#chat .user-row").length;
    const isTaken = () => isWriting() || document.querySelectorAll("#chat .user-row").length > asked;
    for (let tries = 0; call === current && !isTaken(); tries++) {
      if (tries % 10 === 0) document.querySelector("#box .submit-button")?.click();
      await pause();
    }
  };

  // ---- The call.
  const WORDS = {
    listening: "Listening. Say something.",
    hearing: "Listening…",
    working: "Writing down what was said…",
    replying: "Waiting for the reply. Speak to interrupt it.",
    speaking: "Speaking. Speak to interrupt it.",
  };
  /** @type {Call | null} */
  let current = null;
  /** @param {Call} call @param {keyof typeof WORDS} phase */
  const enter = (call, phase) => {
    if (call !== current || call.phase === phase) return;
    call.phase = phase;
    window.voiceLine.say(window.text(WORDS[phase]), phase);
  };
  /** @param {boolean} isOn */
  const show = (isOn) => {
    const button = byId("call");
    button?.setAttribute("aria-pressed", String(isOn));
    if (button) button.textContent = isOn ? window.text("Hang up") : window.text("Call");
  };
  /** @param {Call} call @param {number} turn */
  const follow = async (call, turn) => {
    const isMine = () => call === current && call.turn === turn;
    enter(call, "replying");
    while (isMine() && (isWriting() || window.readAloud?.isSpeaking)) {
      enter(call, window.readAloud?.isSpeaking ? "speaking" : "replying");
      await pause();
    }
    if (isMine()) enter(call, "listening");
  };
  /** @param {Call} call @param {Float32Array[]} frames */
  const answer = async (call, frames) => {
    const turn = ++call.turn;
    call.pending = frames;
    enter(call, "working");
    try {
      const text = await window.microphone.transcribe(frames, call.microphone?.rate ?? 0, call.control.signal);
      if (call !== current || call.turn !== turn) return;
      if (!text) return enter(call, "listening");
      enter(call, "replying");
      window.readAloud?.begin();
      await submit(call, text);
      await follow(call, turn);
    } catch (error) {
      if (call === current) end(error);
    }
  };
  /** @param {Call} call */
  const begin = (call) => {
    if (call.phase === "replying" || call.phase === "speaking") stopReply();
    // Whoever paused to think goes on with the same message.
    if (call.phase === "working") call.frames.unshift(...call.pending);
    call.turn += 1;
    enter(call, "hearing");
  };
  /** @param {Call} call @param {Float32Array} frame */
  const heard = (call, frame) => {
    if (call !== current) return;
    const loudness = window.microphone.loudness(frame);
    call.frames.push(frame);
    if (call.frames.length % 5 === 0) window.voiceLine.level(loudness);
    const news = call.voice.hear(loudness, call.phase === "speaking");
    if (news === "begin") begin(call);
    if (call.phase !== "hearing") {
      if (call.frames.length > BEFORE) call.frames.shift();
    } else if (news === "end" || call.frames.length > LONGEST) {
      answer(call, call.frames.splice(0));
    }
  };
  const start = async () => {
    /** @type {Call} */
    const call = (current = {
      phase: "", turn: 0, frames: [], pending: [], voice: new VoiceActivity(), control: new AbortController(), microphone: null,
    });
    show(true);
    window.voiceLine.say(window.text("The microphone is being opened…"));
    try {
      window.readAloud?.prepare();
      await window.microphone.prepare();
      const microphone = await window.microphone.open((frame) => { if (call.microphone) heard(call, frame); });
      call.microphone = microphone;
      if (call !== current) return microphone.close();
      enter(call, "listening");
    } catch (error) {
      if (call === current) end(error);
    }
  };
  /** @param {unknown} [error] */
  const end = (error) => {
    if (!current) return;
    current.control.abort();
    current.microphone?.close();
    window.readAloud?.stop();
    current = null;
    show(false);
    if (error) window.voiceLine.fail(error);
    else window.voiceLine.hide();
  };
  window.call = { end: () => end(), VoiceActivity };

  document.addEventListener("click", (event) => {
    if (!event.target?.closest?.("#call")) return;
    window.dictation?.cancel();
    if (current) end();
    else start();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !current) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    end();
  }, true);
  window.addEventListener("pagehide", () => end());
})();
