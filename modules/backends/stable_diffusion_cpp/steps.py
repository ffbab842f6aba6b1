"""How many steps the library computes of a picture to begin with."""

from modules.backends.imaging.messages import DrawImages


def strength_of(request: DrawImages) -> float:
    """So that exactly as many steps are computed as the request counts: the library rounds the steps that are left down,
    and adds one."""
    if request.source is None or request.steps_to_do >= request.steps:
        return 1.0
    return (request.steps_to_do - 0.5) / request.steps
