"""Files and folders of models are told apart without reading all of them."""

import os
from pathlib import Path

from modules.models.fingerprint import Fingerprints, fingerprint


def test_files_are_told_apart_by_what_is_in_them(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    content = bytearray(os.urandom(3 * 2**20))
    path.write_bytes(content)
    known = Fingerprints()
    first = known.of(path)
    assert first == fingerprint(path) == known.of(path)
    found = {first}
    for place in (0, 2**20 - 1, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        os.utime(path, ns=(place, place))
        found.add(known.of(path))
    path.write_bytes(content + b"x")
    found.add(known.of(path))
    assert len(found) == 5
    assert known.of(tmp_path / "none") == ""


def test_a_folder_is_the_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.json").write_text("1")
    (tmp_path / "sub" / "b.safetensors").write_bytes(b"2")
    first = fingerprint(tmp_path)
    (tmp_path / "sub" / "b.safetensors").write_bytes(b"3")
    assert fingerprint(tmp_path) != first
