"""Replaces the models of encoder folders by tiny ones of other architectures, and prints what the library makes of texts.

Run in a process of its own, after `prepare_pytorch`: `main` reads {"folder": …, "texts": […], "pairs": […]} from stdin.
"""

import json
import sys
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from transformers import (
    ModernBertConfig,
    ModernBertForSequenceClassification,
    ModernBertModel,
    PreTrainedModel,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

from tests.encoder_folder import POSITIONS, SIZE

SHARED = {"num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": POSITIONS, "pad_token_id": 0}


def models(vocabulary: int) -> dict[str, PreTrainedModel]:
    modern = ModernBertConfig(
        vocab_size=vocabulary,
        hidden_size=SIZE,
        intermediate_size=64,
        global_attn_every_n_layers=2,
        num_labels=1,
        cls_token_id=2,
        sep_token_id=3,
        bos_token_id=2,
        eos_token_id=3,
        **SHARED,
    )
    qwen = Qwen3Config(
        vocab_size=vocabulary, hidden_size=SIZE, intermediate_size=64, num_key_value_heads=2, head_dim=8, **SHARED
    )
    t5 = T5Config(vocab_size=vocabulary, d_model=SIZE, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    return {
        "modernbert": ModernBertModel(modern),
        "modernbert_classifier": ModernBertForSequenceClassification(modern),
        "qwen3": Qwen3Model(qwen),
        "t5": T5EncoderModel(t5),
    }


def main() -> None:
    given = json.loads(sys.stdin.read())
    folder, texts, pairs = Path(given["folder"]), given["texts"], given["pairs"]
    torch.manual_seed(7)
    vocabulary = json.loads((folder / "bert" / "config.json").read_text("utf-8"))["vocab_size"]
    for name, model in models(vocabulary).items():
        model.save_pretrained(folder / name)
    (folder / "qwen3" / "1_Pooling" / "config.json").write_text(
        json.dumps(
            {"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False, "word_embedding_dimension": SIZE}
        )
    )
    # For BERT the library knows the tokenizer, and that it tells the second text of a pair.
    for kind in models(vocabulary):
        special = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
        stated = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": POSITIONS - 2, **special}
        (folder / kind / "tokenizer_config.json").write_text(json.dumps(stated))
    found = {}
    for name in ("bert", "modernbert", "qwen3", "t5"):
        found[name] = SentenceTransformer(str(folder / name), device="cpu").encode(texts).tolist()
    for name in ("classifier", "modernbert_classifier"):
        raw = torch.nn.Identity()
        model = CrossEncoder(str(folder / name), device="cpu")
        found[name] = model.predict([tuple(pair) for pair in pairs], activation_fn=raw).tolist()
    sys.stdout.write(f"\n{json.dumps(found)}\n")
