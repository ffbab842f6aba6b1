"""Sets of requirements beside the one for the hardware: installed with a kind of model, and kept from then on."""

import pytest

from installer.install import goal, index_answers, torch_index
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
    options = torch_index(LAYOUT, wanted, system, lambda address: True)
    assert bool(options) is is_cpu
    assert all("download.pytorch.org/whl/cpu" in option for option in options[1:])


def test_an_index_that_does_not_answer_is_not_given_to_pip() -> None:
    """pip would try it again for every package, and take half an hour for what takes minutes."""
    wanted = goal(LAYOUT, "cpu", "cpu", with_dev=False, installed=None, extra_set="torch.txt")
    assert torch_index(LAYOUT, wanted, "Linux", lambda address: False) == ()


def test_an_index_that_cannot_be_reached_is_known(unused_tcp_port: int) -> None:
    assert not index_answers(f"http://127.0.0.1:{unused_tcp_port}")
    assert not index_answers("http://nowhere.invalid")
