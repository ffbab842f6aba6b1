// Which keys mean what, on which keyboards, and that no two mean the same.
import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./loading.mjs";

const { all, written, isPressed, isPlain } = load(["keys/bindings.js"]).keyTable;
const press = (key, held = "", code = "") => ({
  key, code, ctrlKey: held.includes("C"), metaKey: held.includes("M"), altKey: held.includes("A"), shiftKey: held.includes("S"),
});

test("a combination is pressed with its own modifiers alone", () => {
  assert.ok(isPressed(press("k", "C"), "Ctrl+K"));
  assert.ok(isPressed(press("k", "M"), "Ctrl+K"));
  assert.ok(isPressed(press("K", "C"), "Ctrl+K"), "Caps Lock");
  assert.ok(!isPressed(press("k", "CS"), "Ctrl+K"));
  assert.ok(!isPressed(press("k", "CA"), "Ctrl+K"));
  assert.ok(isPressed(press("O", "CS"), "Ctrl+Shift+O"));
  assert.ok(!isPressed(press("k"), "Ctrl+K"));
});

test("signs are found wherever a keyboard has them, letters at their place", () => {
  assert.ok(isPressed(press("?", "S"), "?"));
  assert.ok(isPressed(press("/", "CS", "Digit7"), "Ctrl+/"), "German");
  assert.ok(isPressed(press("л", "C", "KeyK"), "Ctrl+K"), "Russian");
  assert.ok(!isPressed(press("t", "C", "KeyK"), "Ctrl+K"), "Dvorak");
});

test("they are written as on the user's keyboard", () => {
  assert.equal(written("Ctrl+Shift+O", false), "Ctrl+Shift+O");
  assert.equal(written("Ctrl+Shift+O", true), "⌘⇧O");
  assert.equal(written("Alt+ArrowLeft", false), "Alt+←");
  assert.equal(written("Ctrl+K", false, (word) => (word === "Ctrl" ? "Strg" : word)), "Strg+K");
});

test("what would be written in a field is known", () => {
  assert.deepEqual(["?", "/", "Ctrl+K", "Escape", "Shift+Escape", "F2", "Alt+Enter"].map(isPlain), [true, true, false, false, false, false, false]);
});

test("no combination means two things at one place", () => {
  const seen = new Set();
  for (const { keys, where } of all.filter((each) => !each.isNative))
    for (const combination of keys)
      for (const place of where === "anywhere" ? ["chat", "notebook"] : [where]) {
        const key = `${combination} ${place}`;
        assert.ok(!seen.has(key), key);
        seen.add(key);
      }
});

test("each binding says what is done, once", () => {
  assert.equal(new Set(all.map((each) => each.id)).size, all.length);
  for (const { id, where, press: presses, act, isNative } of all) {
    assert.equal(Boolean(isNative), !where, id);
    if (where) assert.equal(Boolean(presses) !== Boolean(act), true, id);
  }
});
