// What the command palette finds, and what comes first.
import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./loading.mjs";

const { score } = load(["palette/fuzzy.js"]).fuzzy;
const best = (typed, ...texts) => texts.filter((text) => score(text, typed) > 0).sort((one, other) => score(other, typed) - score(one, typed));

test("all words have to be there, in any order, whatever their case and accents", () => {
  assert.ok(score("Trip to Vienna", "vienna trip") > 0);
  assert.ok(score("Übersetzung", "uber") > 0);
  assert.equal(score("Trip to Vienna", "vienna rome"), 0);
  assert.ok(score("Anything", "") > 0);
});

test("beginnings of words come before middles, and whole words before letters that are spread", () => {
  assert.deepEqual(best("top", "Stop sequences", "Top P"), ["Top P", "Stop sequences"]);
  assert.deepEqual(best("temp", "Dynamic temperature", "Temperature", "Theme of the prompt"), ["Temperature", "Dynamic temperature", "Theme of the prompt"]);
  assert.deepEqual(best("rp", "Repetition penalty", "Carpet"), ["Carpet", "Repetition penalty"]);
});

test("initials find a text of several words, letters strewn over it do not", () => {
  assert.ok(score("Repetition penalty", "rp") > 0);
  assert.ok(score("New chat", "nc") > 0);
  assert.equal(score("Show the list of all the chats that there are", "zq"), 0);
});

test("signs mean themselves", () => {
  assert.ok(score("a.b (c)", "(c") > 0);
  assert.equal(score("abc", "a.c"), 0);
});
