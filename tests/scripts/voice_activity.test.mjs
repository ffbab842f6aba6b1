// When a call takes what is heard for a voice.
import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./loading.mjs";

const listens = { addEventListener() {} };
const { VoiceActivity } = load(["voice/call.js"], { document: listens, addEventListener() {} }).call;
const heard = (voice, loudness, frames, isPlaying = false) =>
  Array.from({ length: frames }, () => voice.hear(loudness, isPlaying)).filter(Boolean);

test("a voice begins after a moment of loudness and ends after a pause", () => {
  const voice = new VoiceActivity();
  assert.deepEqual(heard(voice, 0.002, 100), []);
  assert.deepEqual(heard(voice, 0.1, 5), []);
  assert.deepEqual(heard(voice, 0.1, 20), ["begin"]);
  assert.deepEqual(heard(voice, 0.002, 20), []);
  assert.deepEqual(heard(voice, 0.1, 10), []);
  assert.deepEqual(heard(voice, 0.002, 60), ["end"]);
});

test("a click is no voice, and while something is played it takes longer", () => {
  assert.deepEqual(heard(new VoiceActivity(), 0.5, 2), []);
  assert.deepEqual(heard(new VoiceActivity(), 0.1, 10, true), []);
  assert.deepEqual(heard(new VoiceActivity(), 0.1, 20, true), ["begin"]);
});
