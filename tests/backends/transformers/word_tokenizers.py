"""Tokenizers of model families that do not write bytes as letters, with a few words each."""

from typing import Final

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from tests.backends.transformers.folders import CONTROL

SPACE: Final = "\N{LOWER ONE EIGHTH BLOCK}"
BYTES: Final = tuple(f"<0x{byte:02X}>" for byte in range(256))
BEGIN: Final = "<s>"
_MERGES: Final = (("a", "b"), (SPACE, "ab"), (SPACE, SPACE), ("c", "d"))
_WORDS: Final = (SPACE, "a", "b", "c", "d", "é", "世", *("".join(pair) for pair in _MERGES))
# Of Gemma: several spaces are added tokens, though no control tokens.
_SPACES: Final = 3 * SPACE


def llama2() -> Tokenizer:
    """SentencePiece's BPE with bytes for what no token spells; a space is put before each text."""
    tokenizer = _with_bytes()
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    begin = tokenizer.token_to_id(BEGIN)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, begin)])
    return tokenizer


def gemma() -> Tokenizer:
    """The same without a space before texts."""
    tokenizer = _with_bytes()
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_tokens([AddedToken(_SPACES, normalized=False)])
    return tokenizer


def unigram() -> Tokenizer:
    """SentencePiece's Unigram, whose decoder does not tell of its bytes."""
    scores = [(piece, -2.0 - len(piece)) for piece in _WORDS] + [(byte, -20.0) for byte in BYTES]
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), *scores], unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    return _with_control(tokenizer)


def word_piece() -> Tokenizer:
    """Of encoders: a token is a word of its own unless it begins with ##."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    return _with_control(tokenizer)


def _with_bytes() -> Tokenizer:
    vocabulary = {piece: at for at, piece in enumerate(("<unk>", *BYTES, *_WORDS))}
    merges = list(_MERGES)
    model = models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    return _with_control(Tokenizer(model))


def _with_control(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in (BEGIN, *CONTROL)])
    return tokenizer
