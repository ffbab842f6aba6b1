"""Tiny encoders as folders of safetensors: random weights, a vocabulary of letters. Made in milliseconds."""

import json
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Final

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

SIZE: Final = 32
POSITIONS: Final = 66
TYPES: Final = ("bert", "roberta", "xlm-roberta", "mpnet")
_LAYERS, _HEADS, _FEED_FORWARD, _BUCKETS = 2, 4, 64, 32
_SPECIAL: Final = {
    "bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    "": ("<s>", "<pad>", "</s>", "<unk>", "<mask>"),
}
_CLASSES: Final = {
    "bert": "BertForSequenceClassification",
    "roberta": "RobertaForSequenceClassification",
    "xlm-roberta": "XLMRobertaForSequenceClassification",
    "mpnet": "MPNetForSequenceClassification",
}


def write_encoder(folder: Path, kind: str = "bert", *, labels: int = 0, seed: int = 7) -> Path:
    """Words are spelt letter by letter. With `labels` it is a classifier of pairs, else a sentence-transformers folder
    with mean pooling."""
    folder.mkdir(parents=True, exist_ok=True)
    special = _SPECIAL.get(kind, _SPECIAL[""])
    vocabulary = [*special, *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    _write(folder / "config.json", _config(kind, len(vocabulary), labels))
    _write_tokenizer(folder, kind, vocabulary)
    save_file(_weights(kind, len(vocabulary), labels, seed), folder / "model.safetensors")
    if not labels:
        _write_modules(folder)
    return folder


def _config(kind: str, vocabulary: int, labels: int) -> dict[str, Any]:
    is_bert = kind == "bert"
    config = {
        "model_type": kind,
        "architectures": [_CLASSES[kind] if labels else "Model"],
        "hidden_size": SIZE,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS,
        "intermediate_size": _FEED_FORWARD,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12 if is_bert else 1e-5,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2 if is_bert else 1,
        "vocab_size": vocabulary,
        "pad_token_id": 0 if is_bert else 1,
        "relative_attention_num_buckets": _BUCKETS,
    }
    if labels:
        config["id2label"] = {str(index): f"LABEL_{index}" for index in range(labels)}
        config["label2id"] = {f"LABEL_{index}": index for index in range(labels)}
    return config


def _write_tokenizer(folder: Path, kind: str, vocabulary: list[str]) -> None:
    ids = {token: index for index, token in enumerate(vocabulary)}
    begin, end, unknown = ("[CLS]", "[SEP]", "[UNK]") if kind == "bert" else ("<s>", "</s>", "<unk>")
    between = end if kind == "bert" else f"{end} {end}"
    second = ":1" if kind == "bert" else ""
    tokenizer = Tokenizer(WordPiece(ids, unk_token=unknown, max_input_chars_per_word=100))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {between} $B{second} {end}{second}",
        special_tokens=[(begin, ids[begin]), (end, ids[end])],
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def _write_modules(folder: Path) -> None:
    names = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{name}"}
        for place, (path, name) in enumerate(names)
    ]
    _write(folder / "modules.json", modules)
    (folder / "1_Pooling").mkdir()
    _write(folder / "1_Pooling" / "config.json", {"pooling_mode_mean_tokens": True, "word_embedding_dimension": SIZE})
    _write(folder / "sentence_bert_config.json", {"max_seq_length": POSITIONS - 2})


def _weights(kind: str, vocabulary: int, labels: int, seed: int) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    tensors: dict[str, Any] = {}
    before = f"{'roberta' if kind == 'xlm-roberta' else kind}." if labels else ""

    def add(name: str, *shape: int) -> None:
        tensors[name] = draw.normal(0, 0.3, shape).astype(np.float32)

    def dense(name: str, rows: int, columns: int) -> None:
        add(f"{name}.weight", rows, columns)
        add(f"{name}.bias", rows)

    def norm(name: str) -> None:
        tensors[f"{name}.weight"] = draw.uniform(0.5, 1.5, SIZE).astype(np.float32)
        add(f"{name}.bias", SIZE)

    add(f"{before}embeddings.word_embeddings.weight", vocabulary, SIZE)
    add(f"{before}embeddings.position_embeddings.weight", POSITIONS, SIZE)
    if kind != "mpnet":
        add(f"{before}embeddings.token_type_embeddings.weight", 2 if kind == "bert" else 1, SIZE)
    else:
        add(f"{before}encoder.relative_attention_bias.weight", _BUCKETS, _HEADS)
    norm(f"{before}embeddings.LayerNorm")
    for layer in range(_LAYERS):
        block = f"{before}encoder.layer.{layer}"
        if kind == "mpnet":
            for part in "qkvo":
                dense(f"{block}.attention.attn.{part}", SIZE, SIZE)
            norm(f"{block}.attention.LayerNorm")
        else:
            for part in ("self.query", "self.key", "self.value", "output.dense"):
                dense(f"{block}.attention.{part}", SIZE, SIZE)
            norm(f"{block}.attention.output.LayerNorm")
        dense(f"{block}.intermediate.dense", _FEED_FORWARD, SIZE)
        dense(f"{block}.output.dense", SIZE, _FEED_FORWARD)
        norm(f"{block}.output.LayerNorm")
    if labels:
        dense("bert.pooler.dense" if kind == "bert" else "classifier.dense", SIZE, SIZE)
        dense("classifier" if kind == "bert" else "classifier.out_proj", labels, SIZE)
    return tensors


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2), "utf-8")
