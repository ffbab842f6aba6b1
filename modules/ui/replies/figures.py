"""What the page's script is told of a reply's speed and of its size."""

import json
from typing import Final

from modules.library.chats.history import History, Outcome
from modules.ui.replies.draft import ReplyDraft

# A decimal of a hundred tokens a second tells nothing.
EXACT_BELOW: Final = 100


def rate_of(tokens: int, seconds: float, outcome: Outcome) -> str:
    """With decimals only where they tell something. The first token took no writing."""
    if outcome.writing and tokens > 1:
        rate = (tokens - 1) / outcome.writing
    elif tokens and seconds:
        rate = tokens / seconds
    else:
        return ""
    return f"{rate:,.{1 if rate < EXACT_BELOW else 0}f} tok/s"


def seconds_of(seconds: float) -> str:
    """To a twentieth at least, however short: nobody could tell a tenth of a second from half of it otherwise."""
    decimals = next((each for most, each in ((0.1, 3), (10, 2), (EXACT_BELOW, 1)) if seconds < most), 0)
    return f"{seconds:,.{decimals}f} s"


def live_text(draft: ReplyDraft) -> str:
    """Of a reply that is being written."""
    figures = (rate_of(draft.tokens, draft.seconds, draft.outcome), f"{draft.tokens:,} tok")
    return json.dumps({"live": " · ".join(filter(None, figures)) if draft.tokens else ""})


def ended_text(history: History) -> str:
    """When a reply is over, or another chat is shown: the script asks for the count where it is wanted."""
    last = next((row.assistant for row in reversed(history.rows) if row.assistant.outcome.prompt_tokens), None)
    used = 0 if last is None else last.outcome.prompt_tokens + last.tokens
    return json.dumps({"live": "", "used": used, "rows": len(history.rows)})
