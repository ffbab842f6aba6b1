// Writes docs/KEYS.md, made from the table of keys: node tests/scripts/keys_page.mjs > docs/KEYS.md
import { load } from "./loading.mjs";

const { all, written } = load(["keys/bindings.js"]).keyTable;
const lines = ["# Keyboard shortcuts", "", "Ctrl is ⌘ on a Mac. `Ctrl+/` shows this list on the page."];
for (const [group, bindings] of Map.groupBy ? Map.groupBy(all, (each) => each.group) : grouped(all)) {
  lines.push("", `## ${group}`, "", "| keys | what they do |", "|---|---|");
  for (const { keys, label } of bindings) lines.push(`| ${keys.map((each) => `\`${written(each, false)}\``).join(", ")} | ${label} |`);
}
process.stdout.write(`${lines.join("\n")}\n`);

function grouped(bindings) {
  const groups = new Map();
  for (const each of bindings) groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  return groups;
}
