"""The ids of what this API makes: a prefix that tells the kind, and a random rest that nobody can guess."""

import uuid


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"
