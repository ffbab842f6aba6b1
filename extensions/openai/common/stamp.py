"""What every answer and every chunk of one request carries alike: its id, its time, the model that answers."""

import hashlib
import time
import uuid
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Stamp:
    """`created` is in unix seconds. `system_fingerprint` is the same whenever the same model answers."""

    id: str
    created: int
    model: str

    @classmethod
    def of(cls, prefix: str, model: str) -> Self:
        return cls(f"{prefix}-{uuid.uuid4().hex}", int(time.time()), model)

    @property
    def system_fingerprint(self) -> str:
        return f"fp_{hashlib.sha256(self.model.encode()).hexdigest()[:10]}"
