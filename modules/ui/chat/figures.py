"""What the page's script is told of a reply's speed and of its size."""

import json

from modules.library.chats.history import History
from modules.ui.chat.view import rate_of
from modules.ui.replies.draft import ReplyDraft


def live_text(draft: ReplyDraft) -> str:
    """Of a reply that is being written."""
    figures = (rate_of(draft.tokens, draft.seconds, draft.outcome), f"{draft.tokens:,} tok")
    return json.dumps({"live": " · ".join(filter(None, figures)) if draft.tokens else ""})


def ended_text(history: History) -> str:
    """When a reply is over, or another chat is shown: the script asks for the count where it is wanted."""
    last = next((row.assistant for row in reversed(history.rows) if row.assistant.outcome.prompt_tokens), None)
    used = 0 if last is None else last.outcome.prompt_tokens + last.tokens
    return json.dumps({"live": "", "used": used, "rows": len(history.rows)})
