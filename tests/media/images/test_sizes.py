"""Sizes as requests write them, and as models draw them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.backends.imaging.messages import ImageCard
from modules.errors import BadRequest
from modules.media.images.requests import Size
from modules.media.images.sizes import MAX_KEPT_PIXELS, drawable, kept, near, parse_size

SIDES = st.integers(1, 20_000)


@pytest.mark.parametrize("text", ["512x256", " 512 X 256 ", "512×256", "512*256", "512 , 256"])
def test_sizes_are_read_however_they_are_written(text: str) -> None:
    assert parse_size(text) == Size(512, 256)


@pytest.mark.parametrize("text", ["x", "512", "0x5", "5x0", "-5x5", "5.5x5", "1e3x5", "9" * 7 + "x5", "5x5x5"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_size(text)
    assert refusal.value.param == "size"


@given(SIDES, SIDES, st.sampled_from([8, 16, 32, 64]))
def test_a_picture_of_any_size_comes_near_one_that_can_be_drawn(width: int, height: int, multiple: int) -> None:
    card = ImageCard(name="m", size_multiple=multiple)
    size = near(Size(width, height), card)
    assert drawable(size, card) == size
    if max(width, height) <= 8 * min(width, height):
        assert abs(size.width / size.height / (width / height) - 1) < 0.5


@given(st.integers(64, 2048), st.integers(64, 2048))
def test_what_is_drawn_is_never_larger_than_what_was_asked_for(width: int, height: int) -> None:
    card = ImageCard(name="m", size_multiple=16)
    size = drawable(Size(width, height), card)
    assert 0 <= width - size.width < 16
    assert 0 <= height - size.height < 16


@given(SIDES, SIDES)
def test_huge_pictures_come_back_smaller(width: int, height: int) -> None:
    size = kept(Size(width, height))
    assert size.width * size.height <= MAX_KEPT_PIXELS or 1 in size
    if width * height <= MAX_KEPT_PIXELS:
        assert size == (width, height)
