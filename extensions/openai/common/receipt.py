"""Receipts for callers who ask for one."""

from typing import Final

from starlette.requests import Request

from modules.reply.receipt import ReceiptNotes

RECEIPT_HEADER: Final = "X-Receipt"
_YES: Final = frozenset({"1", "true", "yes", "on"})


def wants_receipt(request: Request) -> bool:
    return request.headers.get(RECEIPT_HEADER, "").strip().lower() in _YES


def notes_for(request: Request) -> ReceiptNotes | None:
    """None for a caller who wants no receipt."""
    return ReceiptNotes() if wants_receipt(request) else None
