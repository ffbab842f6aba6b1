// Variables of prompts.
import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./loading.mjs";

const { variables, filled } = load(["base/prompt_text.js"]).promptText;
const plain = (value) => JSON.parse(JSON.stringify(value));

test("each variable is asked for once, in order, as what it is", () => {
  assert.deepEqual(plain(variables("About {{topic}}, {{ tone:select:dry, warm }}, {{text:long}}, again {{topic}}.")), [
    { name: "topic", kind: "text", choices: [] },
    { name: "tone", kind: "select", choices: ["dry", "warm"] },
    { name: "text", kind: "long", choices: [] },
  ]);
  assert.deepEqual(plain(variables("{{a}} {{a:long}}")), [{ name: "a", kind: "long", choices: [] }]);
  assert.deepEqual(plain(variables("{{a:select:}}")), [{ name: "a", kind: "text", choices: [] }]);
});

test("what the program fills in itself and what is no variable is left alone", () => {
  assert.deepEqual(plain(variables("{{user}} {{char}} {x} {{}} {{a:b}} { {c} }")), []);
  assert.equal(filled("{{user}}: {{x}} {{y}}", { x: "{{y}} $& 1" }), "{{user}}: {{y}} $& 1 {{y}}");
});

test("every mention is filled", () => {
  assert.equal(filled("{{ n }} and {{n:select:a,b}}", { n: "b" }), "b and b");
  assert.equal(filled("{{constructor}}", {}), "{{constructor}}");
});
