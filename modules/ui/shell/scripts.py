"""Gradio's scripts: sent as one file, and without the work that this page does not need."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

# As Gradio's build writes what a module imports.
_IMPORTED: Final = re.compile(r"""(\bfrom|\bimport|\bimport\()(["`])\./([\w.-]+\.js)\2""")
# What to fetch ahead of an import: positions in a list at the module's beginning.
_AHEAD: Final = re.compile(r"__vite__mapDeps\(\[([\d,]*)\]\)")
_AHEAD_LIST: Final = re.compile(r"m\.f=(\[[^\]]*\])")
_ADDRESS: Final = "import.meta.url"
# How a component's kind names its module.
_COMPONENT: Final = re.compile(
    r"component:\(\)=>(\w+\(\(\)=>import\(`\./([\w.-]+)`\)(?:\.then\(e=>e\.\w+\))?,(?:__vite__mapDeps\(\[[\d,]*\]\)|\[\]),import\.meta\.url\))"
)
# Within blobs no path is relative to another: modules have names, which stand for blobs or for the server's files. Files
# outside the bundle, by whose own addresses they know others, get the same modules. Where a browser has no import maps,
# or the bundle does not come, the page begins as Gradio's own does.
_START: Final = """
(() => {
  const assets = window.gradioAssets = new URL("./assets/", document.baseURI).href;
  const parsed = new Promise((done) => document.readyState === "loading" ? addEventListener("DOMContentLoaded", done) : done());
  const begin = async () => {
    const answer = await fetch(assets + BUNDLE);
    if (!answer.ok) throw new Error(answer.statusText);
    const whole = await answer.blob();
    const imports = { "gradio/": assets };
    let at = 0;
    for (const [name, length] of MODULES) {
      const part = URL.createObjectURL(whole.slice(at, at += length, "text/javascript"));
      imports["gradio/" + name] = imports[assets + name] = part;
    }
    const map = document.createElement("script");
    map.type = "importmap";
    map.textContent = JSON.stringify({ imports });
    document.head.append(map);
  };
  // Kinds of components outside the bundle are fetched when one is shown: whoever waits for one begins it.
  window.gradioLater = (load) => new class { then(...args) { return (this.module ??= load()).then(...args); } }();
  // Components by their numbers, of each page that was made.
  let nodes = new WeakMap();
  const collect = (node, found) => {
    if (!found.has(node.id)) found.set(node.id, node);
    for (const child of node.children ?? []) collect(child, found);
    return found;
  };
  window.gradioNodes = {
    of: (root) => nodes.get(root) ?? nodes.set(root, collect(root, new Map())).get(root),
    forget: () => { nodes = new WeakMap(); },
  };
  // What is as it was stays the same object: whoever shows it has nothing to do then. Of each owner its list before.
  const keeping = (isSame, before = new WeakMap()) => (owner, list) => {
    const had = before.get(owner) ?? [];
    const kept = list?.map((each, place) => place in had && isSame(had[place], each) ? had[place] : each);
    const now = kept?.length === had.length && kept.every((each, place) => each === had[place]) ? had : kept ?? list;
    before.set(owner, now ?? []);
    return now;
  };
  const traits = ({ content, ...others }) => JSON.stringify(typeof content === "string" ? others : { content, ...others });
  const isEqual = (one, other) => (typeof one.content !== "string" || one.content === other.content) && traits(one) === traits(other);
  window.gradioKept = {
    messages: keeping(isEqual),
    groups: keeping((one, other) => one.length === other.length && one.every((each, place) => each === other[place])),
  };
  const isAble = HTMLScriptElement.supports?.("importmap") ?? false;
  const ready = isAble ? begin().then(() => "gradio/" + ENTRY, () => assets + ENTRY) : Promise.resolve(assets + ENTRY);
  ready.then(async (entry) => { await parsed; await import(entry); });
})();
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What is written otherwise in the module whose name begins with `module`, wherever it says `before`."""

    module: str
    before: str
    after: str
    reason: str


CHANGES: Final = (
    Change(
        "Blocks-",
        "le(()=>{v(),oe(()=>{O.reload(",
        "le(()=>{v()&&oe(()=>{O.reload(",
        "makes every component twice: the effect is for what changed since, and runs when nothing has",
    ),
    Change(
        "core-",
        "function Z(e,t){if(e.id===t)return e;if(e.children)for(let n of e.children){let e=Z(n,t);if(e)return e}return null}",
        "function Z(e,t){return gradioNodes.of(e).get(t)??null}",
        "looks through the whole page for each component of each event",
    ),
    Change("core-", "rerender(e,t){", "rerender(e,t){gradioNodes.forget();", "parts of the page are replaced"),
    Change(
        "core-",
        "n=Z(this.root,e);return!t&&!n?null:t?await t()",
        "n=t?null:Z(this.root,e);return!t&&!n?null:t?await t()",
        "looks through the whole page for what is then not used",
    ),
    Change(
        "Index-XJ",
        "i=n(()=>we(r.props.value,r.shared.root))",
        "i=n(()=>gradioKept.messages(r,we(r.props.value,r.shared.root)))",
        "makes all messages of a conversation anew, and looks at each, when one is added",
    ),
    Change(
        "Index-XJ",
        "Q=n(()=>c()?De(c(),i.display_consecutive_in_same_bubble):null)",
        "Q=n(()=>c()?gradioKept.groups(i,De(c(),i.display_consecutive_in_same_bubble)):null)",
        "makes all groups of messages anew, too",
    ),
)


class ScriptBundle:
    """The modules called `names`, as far as they are in `sources`, in one file. Nothing on disk is changed."""

    def __init__(self, sources: Mapping[str, bytes], sheets: Collection[str]) -> None:
        """`sheets` are style sheets that the page has already."""
        present = {*sources, *sheets}
        modules = {name: _rewritten(name, source.decode(), present).encode() for name, source in sources.items()}
        self.content = b"".join(modules.values())
        self.name = f"scripts-{hashlib.sha256(self.content).hexdigest()[:16]}.js"
        self._lengths = [[name, len(module)] for name, module in modules.items()]

    def start(self, entry: str) -> bytes | None:
        """A script that begins the page with the module `entry`; None where the bundle does not have it."""
        if entry not in {name for name, _ in self._lengths}:
            return None
        values = {"BUNDLE": self.name, "MODULES": self._lengths, "ENTRY": entry}
        script = re.sub("|".join(values), lambda found: json.dumps(values[found[0]]), _START)
        return f"<script>{script}</script>".encode()


def _rewritten(name: str, source: str, present: Collection[str]) -> str:
    for change in CHANGES:
        if name.startswith(change.module):
            source = source.replace(change.before, change.after)
    source = _COMPONENT.sub(
        lambda found: found[0] if found[2] in present else f"component:()=>gradioLater(()=>{found[1]})", source
    )
    ahead: list[str] = json.loads(listed[1]) if (listed := _AHEAD_LIST.search(source)) else []

    def left(found: re.Match[str]) -> str:
        positions: Iterable[str] = filter(None, found[1].split(","))
        missing = [each for each in positions if ahead[int(each)].removeprefix("./") not in present]
        return f"__vite__mapDeps([{','.join(missing)}])" if missing else "[]"

    source = _AHEAD.sub(left, source)
    source = _IMPORTED.sub(r"\1\2gradio/\3\2", source)
    return source.replace(_ADDRESS, f'(gradioAssets+"{name}")')
