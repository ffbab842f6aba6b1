"""The inspector's Info tab: how the last reply was made, and all branches of the chat."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

from modules.chat.session.tree import BranchNode, Step, place_of_branch
from modules.errors import BadRequest
from modules.library.chats.history import ChatTurn, Side
from modules.library.chats.organised import LinkedChat
from modules.ui.page.languages import text
from modules.ui.replies.figures import rate_of, seconds_of

# What the page's script and the server say to each other.
_BRIDGE: Final = """
window.chatInfo.connect(() => trigger('submit'), (number) => trigger('download', { number }), (path) => trigger('select', path));
watch('value', () => window.chatInfo.apply(props.value));
"""
_VIEW: Final = """<section aria-labelledby="reply-info-title"><h2 id="reply-info-title">Last reply</h2><div id="reply-info"></div></section>
<section aria-labelledby="branch-tree-title"><h2 id="branch-tree-title">Branches</h2><div id="branch-tree"></div></section>"""
_UNREADABLE: Final = "That branch is not there any more."
_ENDED: Final = {
    "stop": "by itself",
    "length": "at the limit of tokens",
    "stopped": "stopped by you",
    "incomplete": "interrupted",
}

# Names of rows, where in a receipt their numbers stand, and how they are written.
_COUNT: Final = "{:,.0f}"
_DURATION: Final = "{:,.1f} ms"
_COUNTS: Final = (
    ("Prompt tokens computed", ("prompt", "computed"), _COUNT),
    ("Prompt tokens found in RAM", ("prompt", "ram"), _COUNT),
    ("Prompt tokens found on disk", ("prompt", "disk"), _COUNT),
    ("Prompt tokens shared with other requests", ("prompt", "shared"), _COUNT),
    ("Tokens drafted", ("completion", "drafted"), _COUNT),
    ("Drafted tokens accepted", ("completion", "accepted"), _COUNT),
    ("Tokens forced by the format", ("completion", "forced"), _COUNT),
    ("Queue time", ("milliseconds", "queue"), _DURATION),
    ("Prefill time", ("milliseconds", "prefill"), _DURATION),
    ("Decode time", ("milliseconds", "decode"), _DURATION),
)
_WORDS: Final = (
    ("Format enforced", ("constraint",)),
    ("Changes to the conversation", ("repairs",)),
    ("Seed", ("seeds",)),
)
_DIGEST_SHOWN: Final = 16
# Their beginnings tell them apart; the copied receipt has them whole.
_DIGESTS: Final = (
    ("SHA-256 of the prompt", ("prompt", "sha256")),
    ("SHA-256 of the template", ("model", "template_sha256")),
    ("Digest of the model", ("model", "fingerprint")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoParts:
    """`bridge` is asked for what there is to show, and told which branch to show."""

    bridge: gr.HTML


def info_parts() -> InfoParts:
    """To be called in the inspector."""
    gr.HTML(_VIEW, elem_id="chat-info", padding=False, apply_default_css=False)
    return InfoParts(bridge=gr.HTML("{}", html_template="", js_on_load=_BRIDGE, elem_id="info-bridge", visible=True))


@dataclass(frozen=True, slots=True)
class LinkedChats:
    """The chat that this one branched off, if it is still there, and those that branched off this one."""

    parent: LinkedChat | None = None
    branches: tuple[LinkedChat, ...] = ()


def told(
    nodes: Sequence[BranchNode], turn: ChatTurn | None, ignored: Sequence[str], linked: LinkedChats | None = None
) -> str:
    """For the page's script: the tree, with links to other chats, and what is known of the last reply."""
    rows = [] if turn is None else [*reply_rows(turn, ignored), *receipt_rows(turn.outcome.receipt)]
    receipt = None if turn is None else turn.outcome.receipt or None
    shown = {"nodes": _with_links(nodes, linked or LinkedChats()), "reply": rows, "receipt": receipt}
    return json.dumps(shown, ensure_ascii=False)


def reply_rows(turn: ChatTurn, ignored: Sequence[str]) -> list[tuple[str, str]]:
    """Names and values, those that are known."""
    outcome = turn.outcome
    rows = {
        "Model": turn.model,
        "Written": turn.timestamp,
        "Prompt": _tokens(outcome.prompt_tokens),
        "Reply": _tokens(turn.tokens),
        "Speed": rate_of(turn.tokens, turn.seconds, outcome),
        "Time to first token": _seconds(outcome.waited),
        "Time of writing": _seconds(outcome.writing),
        "Time in all": _seconds(turn.seconds),
        "Ended": text(_ENDED[outcome.finish]) if outcome.finish in _ENDED else "",
        "Failed": outcome.failure,
        "Versions": f"{turn.version + 1} / {len(turn.versions)}" if turn.versions else "",
        "Lorebook": turn.lore,
        "Parameters ignored": ", ".join(ignored),
    }
    return [(text(name), value) for name, value in rows.items() if value]


def receipt_rows(receipt: Mapping[str, object]) -> list[tuple[str, str]]:
    """As `reply_rows`, of what the receipt says besides. A file may hold anything where a receipt stands."""
    rows = {text(name): _number(receipt, *path, form=form) for name, path, form in _COUNTS}
    rows |= {text(name): _words(receipt, *path) for name, path in _WORDS}
    rows |= {text(name): _words(receipt, *path)[:_DIGEST_SHOWN] for name, path in _DIGESTS}
    return [(name, value) for name, value in rows.items() if value]


def path_of(asked: Mapping[str, Any]) -> tuple[tuple[Step, ...], str]:
    """The branch that a browser names, and its mark. Raises BadRequest for what is none."""
    path, mark = asked.get("path"), asked.get("mark")
    if not isinstance(path, list) or not isinstance(mark, str):
        raise BadRequest(_UNREADABLE)
    return tuple(map(_step, path)), mark


def _step(asked: object) -> Step:
    match asked:
        case [int(row), str(side), int(version)] if side in set(Side):
            return row, Side(side), version
    raise BadRequest(_UNREADABLE)


def _with_links(nodes: Sequence[BranchNode], linked: LinkedChats) -> list[dict[str, object]]:
    """Each branch stands after the message at which it branched off."""
    branches: defaultdict[int, list[dict[str, object]]] = defaultdict(list)
    for branch in linked.branches:
        place = place_of_branch(nodes, branch.origin.row, branch.origin.digest)
        branches[place].append({**_link(branch, "branch"), "p": nodes[place].path if place >= 0 else ()})
    sent = [_link(linked.parent, "parent")] if linked.parent is not None else []
    for place in range(-1, len(nodes)):
        sent += [_sent(nodes[place])] if place >= 0 else []
        sent += branches[place]
    return sent


def _link(chat: LinkedChat, side: str) -> dict[str, object]:
    return {"r": chat.origin.row, "s": side, "v": 1, "n": 1, "t": chat.title, "p": (), "m": "", "c": chat.id}


def _sent(node: BranchNode) -> dict[str, object]:
    """In few letters: a long chat has thousands."""
    return {
        "r": node.row,
        "s": node.side.value,
        "v": node.version + 1,
        "n": node.versions,
        "t": node.text,
        "p": node.path,
        "m": node.mark,
    }


def _tokens(count: int) -> str:
    return text("{count} tokens", count=f"{count:,}") if count else ""


def _seconds(seconds: float) -> str:
    return seconds_of(seconds) if seconds else ""


def _number(receipt: Mapping[str, object], *path: str, form: str) -> str:
    value = _value(receipt, *path)
    return form.format(value) if isinstance(value, int | float) and value > 0 else ""


def _words(receipt: Mapping[str, object], *path: str) -> str:
    value = _value(receipt, *path)
    several = value if isinstance(value, list) else [value]
    return ", ".join(str(each) for each in several if isinstance(each, str | int))


def _value(receipt: Mapping[str, object], *path: str) -> object:
    """None where there is none."""
    value: object = receipt
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
