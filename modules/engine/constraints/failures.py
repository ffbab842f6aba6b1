"""Why a constraint cannot be enforced."""


class Unenforceable(Exception):
    """`reason` is a sentence for whoever wrote the schema or grammar."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
