// What the microphone hears, as frames of a fiftieth of a second, and a recording of them as a file.
(() => {
  "use strict";
  // Enough for speech; what the microphone gives beyond it is averaged.
  const WANTED_RATE = 16000;
  const FRAMES_A_SECOND = 50;
  const WORKLET = `
    registerProcessor("frames", class extends AudioWorkletProcessor {
      constructor({ processorOptions: { factor, size } }) {
        super();
        Object.assign(this, { factor, size, sum: 0, summed: 0, frame: new Float32Array(size), filled: 0 });
      }
      process([[samples]]) {
        for (const sample of samples ?? []) {
          this.sum += sample;
          if (++this.summed < this.factor) continue;
          this.frame[this.filled++] = this.sum / this.factor;
          this.sum = this.summed = 0;
          if (this.filled < this.size) continue;
          this.port.postMessage(this.frame.slice());
          this.filled = 0;
        }
        return true;
      }
    });`;

  /** @type {Record<string, string>} */
  const REASONS = {
    NotAllowedError: window.text("The browser does not let this page use the microphone. Allow it beside the address, and try again."),
    NotFoundError: window.text("There is no microphone."),
    NotReadableError: window.text("Another program uses the microphone."),
  };

  /** A microphone that is open: `rate` samples a second come to `heard` in frames, until `close`.
   * @param {(frame: Float32Array) => void} heard @returns {Promise<OpenMicrophone>} */
  const open = async (heard) => {
    if (!navigator.mediaDevices?.getUserMedia)
      throw new Error(window.text("Browsers open the microphone only for pages of this machine or with HTTPS."));
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      });
    } catch (error) {
      throw new Error(REASONS[error instanceof Error ? error.name : ""] ?? window.text("The microphone cannot be opened."));
    }
    const context = new AudioContext();
    const close = () => {
      for (const track of stream.getTracks()) track.stop();
      if (context.state !== "closed") context.close();
    };
    try {
      const address = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
      await context.audioWorklet.addModule(address).finally(() => URL.revokeObjectURL(address));
      const factor = Math.max(1, Math.floor(context.sampleRate / WANTED_RATE));
      const rate = Math.round(context.sampleRate / factor);
      const size = Math.round(rate / FRAMES_A_SECOND);
      const node = new AudioWorkletNode(context, "frames", { numberOfOutputs: 0, processorOptions: { factor, size } });
      node.port.onmessage = ({ data }) => heard(data);
      context.createMediaStreamSource(stream).connect(node);
      await context.resume();
      return { rate, close };
    } catch {
      close();
      throw new Error(window.text("This browser cannot record what the microphone hears."));
    }
  };

  /** @param {Float32Array} frame */
  const loudness = (frame) => Math.sqrt(frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length);

  /** A WAV file of 16-bit samples. @param {Float32Array[]} frames @param {number} rate */
  const file = (frames, rate) => {
    const count = frames.reduce((sum, frame) => sum + frame.length, 0);
    const view = new DataView(new ArrayBuffer(44 + 2 * count));
    /** @param {number} at @param {string} letters */
    const text = (at, letters) => [...letters].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
    text(0, "RIFF");
    view.setUint32(4, 36 + 2 * count, true);
    text(8, "WAVEfmt ");
    /** @type {[value: number, bytes: number][]} */
    const format = [[16, 4], [1, 2], [1, 2], [rate, 4], [2 * rate, 4], [2, 2], [16, 2]];
    format.reduce((at, [value, bytes]) => {
      if (bytes === 4) view.setUint32(at, value, true);
      else view.setUint16(at, value, true);
      return at + bytes;
    }, 16);
    text(36, "data");
    view.setUint32(40, 2 * count, true);
    let at = 44;
    for (const frame of frames)
      for (const sample of frame) {
        view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 32767, true);
        at += 2;
      }
    return new Blob([view], { type: "audio/wav" });
  };

  /** @param {Promise<Response>} request */
  const answer = async (request) => {
    let said;
    try {
      said = await (await request).json();
    } catch (error) {
      if (error instanceof Error && error.name === "AbortError") throw error;
      throw new Error(window.text("The server cannot be reached."));
    }
    if (said.message) throw new Error(said.message);
    return said;
  };
  const address = () => new URL("dictation", document.baseURI.replace(/[?#].*/, "")).href;
  // Throws an error that says what to do where no model can transcribe; one that can is loaded meanwhile.
  const prepare = () => answer(fetch(address()));
  /** @param {Float32Array[]} frames @param {number} rate @param {AbortSignal} signal @returns {Promise<string>} */
  const transcribe = async (frames, rate, signal) => {
    const options = { method: "POST", headers: { "content-type": "audio/wav" }, body: file(frames, rate), signal };
    return (await answer(fetch(address(), options))).text;
  };

  window.microphone = { open, loudness, prepare, transcribe, FRAMES_A_SECOND };
})();
