"""The set-up itself, in real processes with a real pip: interrupted, at the same time twice, and failing."""

import os
import signal
from pathlib import Path

import pytest

from installer.llama_cpp import leave_out_programs
from tests.setup.checkout import (
    Checkout,
    add_llama_wheel,
    add_model,
    add_slow_package,
    arguments_of_server,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="named pipes and signals as POSIX has them")


@pytest.fixture
def slow(checkout: Checkout) -> Path:
    """A requirement that is built behind a gate; everything else is at hand."""
    add_model(checkout)
    add_llama_wheel(checkout)
    package = add_slow_package(checkout)
    os.mkfifo(package / "gate")
    os.mkfifo(package / "opening")
    return package


def builds(package: Path) -> int:
    return len((package / "builds").read_text(encoding="utf-8").splitlines())


def test_interrupted_set_up_goes_on_and_is_then_remembered(checkout: Checkout, slow: Path) -> None:
    with checkout.start("--set", "cpu", "--api") as process, (slow / "gate").open(encoding="utf-8") as gate:
        assert gate.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        assert gate.read() == ""  # the builder's end is closed: it was ended with the installer
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert not checkout.layout.state.exists()

    (checkout.layout.environment / "pyvenv.cfg").unlink()
    (slow / "gate").unlink()
    status, printed = checkout.run("--set", "cpu", "--api")
    assert status == 0, printed
    assert "making it anew" in printed
    assert arguments_of_server(printed) == ["--api"]
    assert builds(slow) == 2

    assert checkout.run("--api") == (0, 'SERVER ["--api"]\n')


def test_two_first_starts_install_once(checkout: Checkout, slow: Path) -> None:
    with checkout.start("--set", "cpu", "first") as first, (slow / "gate").open(encoding="utf-8") as gate:
        gate.readline()
        with checkout.start("--set", "cpu", "second") as second:
            assert second.stdout is not None
            assert "waiting for another start" in second.stdout.readline()
            (slow / "gate").unlink()
            (slow / "opening").write_text("go", encoding="utf-8")
            printed = {"first": first.communicate(timeout=60)[0], "second": second.communicate(timeout=60)[0]}
    assert {name: arguments_of_server(text) for name, text in printed.items()} == {
        "first": ["first"],
        "second": ["second"],
    }
    assert builds(slow) == 1


def test_failed_packages_say_what_why_and_what_to_do(checkout: Checkout) -> None:
    base = checkout.layout.requirements / "base.txt"
    base.write_text(base.read_text(encoding="utf-8") + "no-such-package==1.0\n", encoding="utf-8")
    status, printed = checkout.run("--set", "cpu", "--api")
    assert status == 1
    report = printed[printed.index("The packages could not be installed.") :]
    assert "Why:\n" in report
    assert "No matching distribution found for no-such-package==1.0" in report
    assert "What to do:\n" in report
    assert not checkout.layout.state.exists()


@pytest.mark.extended
def test_llama_wheel_that_does_not_run_is_not_kept(checkout: Checkout) -> None:
    wheel = add_llama_wheel(checkout, source="raise OSError('libsomething.so.1: cannot open shared object file')")
    status, printed = checkout.run("install", "--set", "cpu")
    assert status == 1
    assert "does not run here: OSError: libsomething.so.1: cannot open shared object file" in printed
    assert not wheel.exists()
    assert not checkout.layout.state.exists()


def test_what_only_llama_cpps_own_programs_need_is_not_compiled(tmp_path: Path) -> None:
    build = tmp_path / "CMakeLists.txt"
    build.write_text('project(llama_cpp)\nset(LLAMA_BUILD_COMMON ON CACHE BOOL "common" FORCE)\n', encoding="utf-8")
    leave_out_programs(build)
    assert build.read_text("utf-8") == 'project(llama_cpp)\nset(LLAMA_BUILD_COMMON OFF CACHE BOOL "common" FORCE)\n'
