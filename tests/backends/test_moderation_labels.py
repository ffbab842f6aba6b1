"""What the labels of well-known classifiers stand for, and which folders are classifiers for moderation."""

import json
from pathlib import Path

import pytest

from modules.backends.encoders.folder import kind_of_folder, read_folder
from modules.backends.encoders.moderation_labels import categories_of, is_moderation
from modules.engine.types import ModelKind
from modules.media.moderation.examples import EXAMPLES
from tests.encoder_folder import write_encoder

JIGSAW = ("toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit", "male")
SHORT = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2", "OK")
HAZARDS = tuple(f"S{number}" for number in range(1, 15))


@pytest.mark.parametrize(
    ("labels", "known"),
    [
        (JIGSAW, {"harassment", "harassment/threatening", "hate", "sexual", "violence"}),
        (
            SHORT,
            {
                *("sexual", "hate", "violence", "harassment", "self-harm"),
                *("sexual/minors", "hate/threatening", "violence/graphic"),
            },
        ),
        (
            HAZARDS,
            {"violence", "illicit", "illicit/violent", "sexual", "sexual/minors", "hate", "self-harm"},
        ),
        (tuple(EXAMPLES), set(EXAMPLES)),
        (("NOT-HATE", "HATE"), {"hate"}),
        (("neutral", "toxic"), {"harassment"}),
        (("Hate Speech", "Offensive Language", "Neither"), {"hate", "harassment"}),
        (("LABEL_0", "LABEL_1"), set()),
        (("negative", "neutral", "positive"), set()),
        (("S", "V", "O"), set()),
        ((), set()),
    ],
)
def test_labels_stand_for_categories(labels: tuple[str, ...], known: set[str]) -> None:
    found = categories_of(labels)
    assert len(found) == len(labels)
    assert {name for names in found for name in names} == known
    assert known <= set(EXAMPLES)
    assert is_moderation(labels) is bool(known)


def test_the_same_short_name_means_what_its_set_means() -> None:
    assert dict(zip(SHORT, categories_of(SHORT), strict=True))["S3"] == ("sexual/minors",)
    assert dict(zip(HAZARDS, categories_of(HAZARDS), strict=True))["S3"] == ("sexual",)


@pytest.mark.parametrize(
    ("labels", "problem", "kind", "groups"),
    [
        (("toxic", "threat"), None, ModelKind.MODERATION, (("toxic",), ("threat",))),
        (("safe", "toxic"), None, ModelKind.MODERATION, (("safe", "toxic"),)),
        (("safe", "toxic"), "multi_label_classification", ModelKind.MODERATION, (("safe",), ("toxic",))),
        (("toxic", "threat"), "single_label_classification", ModelKind.MODERATION, (("toxic", "threat"),)),
        (("LABEL_0", "LABEL_1"), None, ModelKind.RERANK, (("LABEL_0",), ("LABEL_1",))),
    ],
)
def test_a_folder_says_whether_its_labels_exclude_each_other(
    tmp_path: Path, labels: tuple[str, ...], problem: str | None, kind: ModelKind, groups: tuple[tuple[str, ...], ...]
) -> None:
    folder = write_encoder(tmp_path / "model", labels=len(labels))
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["id2label"] = {str(place): label for place, label in enumerate(labels)}
    path.write_text(json.dumps(config | {"problem_type": problem}), "utf-8")
    assert kind_of_folder(folder) is kind
    assert read_folder(folder).kind is kind
    assert read_folder(folder).label_groups == groups
