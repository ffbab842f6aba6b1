"""What backends that answer whole texts with vectors or scores share: which jobs they take, and what comes of a row."""

import numpy as np
from numpy.typing import NDArray

from modules.engine.protocols import Output
from modules.engine.types import Finish, Job, ModelCard, ModelKind
from modules.errors import BadRequest


def check_embedding_job(card: ModelCard, job: Job) -> None:
    """Raises BadRequest for a job that asks for a reply, or whose text is empty or longer than the model reads."""
    tokens = job.generation.prompt.tokens
    if job.generation.embedding is None:
        raise BadRequest(f"{card.name} embeds texts; it writes none.", param="model")
    if not tokens:
        raise BadRequest("The input is empty. Send at least one token.", param="input")
    if len(tokens) > card.context:
        raise BadRequest(
            f"This model's maximum context length is {card.context} tokens, however you requested {len(tokens)} tokens. "
            "Shorten the input.",
            param="input",
            code="context_length_exceeded",
        )


def embedding_output(card: ModelCard, job: Job, row: NDArray[np.float32]) -> Output:
    """Scores as they are; of a vector the first numbers, as many as are wanted, at length one unless they are wanted raw."""
    values = row.astype("<f4")
    if card.kind is ModelKind.EMBEDDING:
        values = values[: job.generation.embedding or None]
        if not job.generation.raw_embedding:
            length = float(np.linalg.norm(values))
            if length > 0 and np.isfinite(length):
                values /= np.float32(length)
    return Output(job_id=job.id, embedding=values.tobytes(), finish=Finish.STOP)
