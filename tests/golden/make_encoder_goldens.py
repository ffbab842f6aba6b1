"""Writes what transformers computes with the tiny encoders of `tests/encoder_folder.py`: states and scores.

Run it where `transformers`, `torch` and `safetensors` are installed (they were 5.24.0, 2.14.1 and 0.8.0, on a CPU):
`python -m tests.golden.make_encoder_goldens`.
"""

import json
import tempfile
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from transformers import AutoModel, AutoModelForSequenceClassification

from tests.encoder_folder import TYPES, write_encoder

VALUES: Final = Path(__file__).with_name("encoder_values.json")
PAIRS: Final = (("abc", "xyz"), ("hello you", "a b c d e f g"), ("q", "z" * 40))


def _ran(model: Any, folder: Path, text: str, second: str | None = None) -> Any:
    encoded = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text, second)
    values = {"input_ids": torch.tensor([encoded.ids]), "attention_mask": torch.tensor([encoded.attention_mask])}
    if model.config.model_type != "mpnet":
        values["token_type_ids"] = torch.tensor([encoded.type_ids])
    with torch.no_grad():
        return model(**values)


def main() -> None:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        for kind in TYPES:
            folder = write_encoder(Path(place, kind, "states"), kind)
            model = AutoModel.from_pretrained(folder).eval()
            states = [_ran(model, folder, first).last_hidden_state[0].mean(0) for first, _ in PAIRS]
            folder = write_encoder(Path(place, kind, "scores"), kind, labels=2)
            model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
            scores = [_ran(model, folder, *pair).logits[0] for pair in PAIRS]
            found[kind] = {"states": [row.tolist() for row in states], "scores": [row.tolist() for row in scores]}
    VALUES.write_text(json.dumps({"pairs": PAIRS, "values": found}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
