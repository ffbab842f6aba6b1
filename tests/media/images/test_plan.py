"""What a model is asked, and what it is not able to do. Pure."""

import pytest

from modules.backends.imaging.messages import ImageAbility, ImageCard
from modules.errors import BadRequest, NotSupported
from modules.media.images.plan import planned
from modules.media.images.requests import ImageRequest, SecondPass, Size

SECOND = ImageRequest(prompt="a tree", size=Size(64, 64), second_pass=SecondPass(size=Size(512, 512), strength=0.3))
BOTH = (ImageAbility.TEXT_TO_IMAGE, ImageAbility.IMAGE_TO_IMAGE)


def test_a_second_pass_is_planned() -> None:
    drawing = planned(SECOND, ImageCard(name="any", abilities=BOTH), None)
    assert (drawing.drawn, drawing.finished, drawing.made) == (Size(64, 64), Size(512, 512), Size(512, 512))
    assert drawing.strength == 0.3


def test_a_second_pass_needs_a_model_that_changes_pictures() -> None:
    with pytest.raises(NotSupported) as refused:
        planned(SECOND, ImageCard(name="any"), None)
    assert refused.value.param == "enable_hr"


def test_a_second_pass_is_no_larger_than_the_model_draws() -> None:
    with pytest.raises(BadRequest, match="draws sides of"):
        planned(SECOND, ImageCard(name="any", abilities=BOTH, max_side=256), None)
