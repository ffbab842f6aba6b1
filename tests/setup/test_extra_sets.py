"""Sets of requirements beside the one for the hardware: installed with a kind of model, and kept from then on."""

import pytest

from installer.install import goal, torch_index
from installer.paths import Layout
from tests.setup.checkout import PROJECT

LAYOUT = Layout(PROJECT)


def test_a_set_that_was_installed_stays() -> None:
    first = goal(LAYOUT, "cpu", "cpu", with_dev=False, installed=None, extra_set="speech.txt")
    assert list(first.requirements) == ["cpu.txt", "speech.txt"]
    later = goal(LAYOUT, "cpu", "cpu", with_dev=False, installed=first)
    assert later.requirements == first.requirements
    second = goal(LAYOUT, "cpu", "cpu", with_dev=False, installed=first, extra_set="torch.txt")
    assert list(second.requirements) == ["cpu.txt", "speech.txt", "torch.txt"]
    assert second.covers(first)
    assert not first.covers(second)


def test_the_full_set_holds_them_all() -> None:
    reached = goal(LAYOUT, "full", "cpu", with_dev=False, installed=None, extra_set="torch.txt")
    assert list(reached.requirements) == ["full.txt"]


@pytest.mark.parametrize(
    ("accelerator", "extra", "system", "is_cpu"),
    [
        ("cpu", "torch.txt", "Linux", True),
        ("cuda", "torch.txt", "Linux", False),
        ("cpu", "torch.txt", "Darwin", False),
        ("cpu", "speech.txt", "Linux", False),
    ],
)
def test_pytorch_for_processors_is_small(accelerator: str, extra: str, system: str, is_cpu: bool) -> None:
    wanted = goal(LAYOUT, accelerator, accelerator, with_dev=False, installed=None, extra_set=extra)
    options = torch_index(LAYOUT, wanted, system)
    assert bool(options) is is_cpu
    assert all("download.pytorch.org/whl/cpu" in option for option in options[1:])
