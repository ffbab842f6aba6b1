"""llama-cpp-python in the environment: whether it works is found out by running it, and why not is said."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from installer.console import Console
from installer.failures import StepFailed
from installer.hardware import Hardware
from installer.llama_builds import build_key
from installer.llama_cpp import MEMORY_PER_COMPILER, LlamaCpp, _compilers_at_once
from installer.memory import total_memory
from tests.setup.checkout import LLAMA, LLAMA_VERSION, Checkout, add_finished_installation

WITH_GPU = f"{LLAMA}def llama_supports_gpu_offload(): return True\n"
WITHOUT_GPU = f"{LLAMA}def llama_supports_gpu_offload(): return False\n"
Install = Callable[[str], None]


@pytest.fixture
def installed(checkout: Checkout) -> Install:
    """Puts a package of that source into an environment."""
    add_finished_installation(checkout)
    (site,) = checkout.layout.environment.rglob("site-packages")

    def install(source: str) -> None:
        (site / "llama_cpp.py").write_text(source, encoding="utf-8")

    return install


def build(checkout: Checkout, accelerator: str = "cpu", printed: io.StringIO | None = None) -> LlamaCpp:
    return LlamaCpp(
        layout=checkout.layout,
        console=Console(printed or io.StringIO()),
        accelerator=accelerator,
        hardware=Hardware(system="Linux", processor="x86_64"),
        key=build_key(checkout.layout.requirements, accelerator),
    )


@pytest.mark.parametrize(("source", "accelerator"), [(LLAMA, "cpu"), (WITHOUT_GPU, "cpu"), (WITH_GPU, "cuda")])
def test_complaint_is_none_about_what_runs(
    checkout: Checkout, installed: Install, source: str, accelerator: str
) -> None:
    installed(source)
    assert build(checkout, accelerator).complaint() is None


@pytest.mark.parametrize(
    ("source", "accelerator", "complaint"),
    [
        (LLAMA.replace(LLAMA_VERSION, "9.8"), "cpu", "it is version 9.8"),
        (WITHOUT_GPU, "cuda", "it was built without GPU support"),
        ("raise OSError('libx.so: cannot open shared object file')", "cpu", "libx.so: cannot open shared object file"),
        ("import sys; sys.exit(3)", "cpu", "exit status 3"),
    ],
    ids=["version", "accelerator", "library", "silent"],
)
def test_complaint_says_why_it_does_not_run(
    checkout: Checkout, installed: Install, source: str, accelerator: str, complaint: str
) -> None:
    installed(source)
    assert complaint in (build(checkout, accelerator).complaint() or "")


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_complaint_names_the_signal_of_a_build_for_another_processor(checkout: Checkout, installed: Install) -> None:
    installed("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    assert "ended by signal 4 (built for another processor?)" in (build(checkout).complaint() or "")


def test_complaint_about_a_package_that_is_not_there(checkout: Checkout) -> None:
    add_finished_installation(checkout)
    assert "No module named 'llama_cpp'" in (build(checkout).complaint() or "")


@pytest.mark.skipif(os.name == "nt", reason="a compiler is found in other ways")
@pytest.mark.parametrize(("accelerator", "tool"), [("cpu", ""), ("cuda", "CUDA toolkit"), ("rocm", "ROCm")])
def test_without_compiler_nothing_is_fetched_and_the_ways_out_are_told(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accelerator: str, tool: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("installer.toolchain.USUAL_FOLDERS", ())
    with pytest.raises(StepFailed) as failed:
        build(checkout, accelerator)._compile()
    assert "cannot be compiled here" in str(failed.value)
    advice = " ".join(failed.value.advice)
    assert "compiler" in advice
    assert tool in advice
    assert ("--set cpu" in advice) == (accelerator != "cpu")
    assert not checkout.layout.build.exists()


def test_no_more_compilers_run_than_memory_bears() -> None:
    assert 1 <= _compilers_at_once() <= max(1, total_memory() // MEMORY_PER_COMPILER)
