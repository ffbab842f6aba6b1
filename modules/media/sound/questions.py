"""What is said between `sounds` and the process that decodes a recording."""

import msgspec


class SoundQuestion(msgspec.Struct, frozen=True):
    """A file's bytes; `rate` samples a second are wanted, `max_samples` at most."""

    content: bytes
    rate: int
    max_samples: int


class SoundBlock(msgspec.Struct, frozen=True):
    """Mono samples as little-endian 32-bit floats, most of them within -1 to 1."""

    samples: bytes
