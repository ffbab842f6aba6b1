"""Writes what sentence-transformers makes of the texts in `embedding_texts.py`.

Run it where `sentence-transformers` is installed, with PyTorch (they were 6.2.0 and 2.14.1, on a CPU):
`python -m tests.golden.make_embedding_goldens FOLDER…`, where each folder holds a model and has its name.
"""

import sys
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from tests.golden.embedding_texts import VECTORS, texts


def main(folders: list[str]) -> None:
    models = {Path(folder).name: SentenceTransformer(folder, device="cpu") for folder in folders}
    vectors = {name: model.encode(texts(), normalize_embeddings=True) for name, model in models.items()}
    # Half the size, and five digits more than is compared.
    np.savez_compressed(VECTORS, **{name: made.astype(np.float16) for name, made in vectors.items()})


if __name__ == "__main__":
    main(sys.argv[1:])
