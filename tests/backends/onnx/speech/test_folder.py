"""Which folders and files are voices."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from modules.backends.onnx.speech.folder import KokoroFolder, is_speech_model, read_model, vocabulary_of
from modules.errors import LoadFailed


def files(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def archive(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as members:
        for name in names:
            members.writestr(f"{name}.npy", b"")
    return data.getvalue()


def test_a_folder_as_on_the_hub(tmp_path: Path) -> None:
    folder = files(tmp_path, "onnx/model.onnx", "onnx/model_quantized.onnx", "voices/af_bella.bin", "voices/af_sky.bin")
    assert is_speech_model(folder)
    found = read_model(folder)
    assert isinstance(found, KokoroFolder)
    assert found.graph.name == "model_quantized.onnx"
    assert found.voice_names == ("af_bella", "af_sky")


def test_a_folder_with_an_archive_of_voices(tmp_path: Path) -> None:
    folder = files(tmp_path, "kokoro-v1.0.onnx", "kokoro-v1.0.int8.onnx")
    (folder / "voices-v1.0.bin").write_bytes(archive("jf_alpha", "af_sky"))
    found = read_model(folder)
    assert isinstance(found, KokoroFolder)
    assert found.graph.name == "kokoro-v1.0.int8.onnx"
    assert found.voice_names == ("af_sky", "jf_alpha")


def test_a_voice_of_one_speaker_or_several(tmp_path: Path) -> None:
    voice = files(tmp_path, "en_US-x-medium.onnx") / "en_US-x-medium.onnx"
    assert not is_speech_model(voice)
    settings = voice.with_name("en_US-x-medium.onnx.json")
    settings.write_text(json.dumps({"phoneme_id_map": {}}), encoding="utf-8")
    assert is_speech_model(voice)
    assert not is_speech_model(tmp_path)
    assert read_model(voice).voice_names == ("en_US-x-medium",)
    two = {"phoneme_id_map": {}, "num_speakers": 2, "speaker_id_map": {"p1": 0, "p2": 1}}
    settings.write_text(json.dumps(two), encoding="utf-8")
    assert read_model(voice).voice_names == ("en_US-x-medium", "en_US-x-medium:p1", "en_US-x-medium:p2")
    settings.write_text("{}", encoding="utf-8")
    with pytest.raises(LoadFailed, match="not the settings file"):
        _ = read_model(voice).voice_names


def test_other_folders_are_none(tmp_path: Path) -> None:
    assert not is_speech_model(files(tmp_path / "a", "model.onnx", "config.json", "tokenizer.json"))
    assert not is_speech_model(files(tmp_path / "b", "voices/af_sky.bin"))
    assert not is_speech_model(files(tmp_path / "c", "model.gguf") / "model.gguf")
    assert not is_speech_model(files(tmp_path / "d", "model.onnx", "weights.bin"))


def test_a_folders_own_phoneme_table_counts(tmp_path: Path) -> None:
    assert vocabulary_of(tmp_path) is None
    (tmp_path / "config.json").write_text('{"model_type": "style_text_to_speech_2"}', encoding="utf-8")
    assert vocabulary_of(tmp_path) is None
    (tmp_path / "vocab.json").write_text('{"vocab": {"a": 43}}', encoding="utf-8")
    assert vocabulary_of(tmp_path) == {"a": 43}
