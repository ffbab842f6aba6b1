"""lm-evaluation-harness reads the same likelihoods through the API as llama.cpp's own functions give."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest

from tests.api.clients.test_programs import installed
from tests.backends.llamacpp.reference import reference
from tests.live.server import LiveServer
from tests.model_files import SMOLLM2, model_path

pytestmark = [pytest.mark.live, pytest.mark.model]

SPREAD: Final = 0.2
"""What the shape of a batch alone changes on this model."""

QUESTIONS: Final = (
    ("The capital of France is", ["Paris", "Berlin", "a kettle"], 0),
    ("The capital of Germany is the city of", ["Madrid", "Berlin", "Rome"], 1),
    ("Two plus two equals", ["four", "nine", "blue"], 0),
    ("Grass is usually", ["green", "square", "loud"], 0),
    ("The opposite of hot is", ["seven", "cold", "warm water"], 1),
    ("Water freezes into", ["ice", "fire", "bread and butter"], 0),
    ("A baby dog is called a", ["puppy", "kitten", "tractor"], 0),
    ("The sun rises in the", ["east", "evening soup", "west"], 0),
)


def evaluated(server: LiveServer, folder: Path) -> Any:
    data = folder / "capitals.json"
    rows = [{"question": text, "choices": choices, "label": label} for text, choices, label in QUESTIONS]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "hub")}
    done = subprocess.run(
        [installed("venv", "bin", "python"), Path(__file__).with_name("evaluation.py"), server.url, data],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rpartition("RESULT ")[2])


async def tokens(http: httpx.AsyncClient, text: str) -> list[int]:
    answer = await http.post("/tokenize", json={"prompt": text, "add_special_tokens": False})
    return list(answer.json()["tokens"])


@pytest.mark.extended
async def test_likelihoods_are_llama_cpps_own(server: LiveServer, http: httpx.AsyncClient, tmp_path: Path) -> None:
    told = evaluated(server, tmp_path)
    with reference(model_path(SMOLLM2)) as own:
        for (text, choices, _), likelihoods in zip(QUESTIONS, told["likelihoods"], strict=True):
            prompt = await tokens(http, text)
            whole = [await tokens(http, f"{text} {choice}") for choice in choices]
            expected = [own.log_likelihood(prompt, each[len(prompt) :]) for each in whole]
            assert likelihoods == pytest.approx(expected, abs=SPREAD)
            assert int(np.argmax(likelihoods)) == int(np.argmax(expected))
    taken = [int(np.argmax(each)) for each in told["likelihoods"]]
    right = [choice == label for choice, (_, _, label) in zip(taken, QUESTIONS, strict=True)]
    assert told["accuracy"] == pytest.approx(sum(right) / len(right))
