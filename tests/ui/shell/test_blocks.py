"""What handlers return, on its way to the browser."""

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from modules.ui.shell.blocks import PageBlocks

KEPT = 2


class Made:
    """Blocks with an event that may show two texts and keep a value."""

    def __init__(self) -> None:
        with PageBlocks(analytics_enabled=False) as self.blocks:
            self.outputs = [gr.Textbox(), gr.Textbox(), gr.State("old")]
        self.session = SessionState(self.blocks)

    async def shown(self, returned: Any) -> list[Any]:
        event = SimpleNamespace(
            outputs=self.outputs, batch=False, is_validator_function=False, postprocess=True, name="event"
        )
        shown: list[Any] = await self.blocks.postprocess_data(event, returned, self.session)
        return shown


@pytest.fixture
async def made() -> Made:
    return Made()


async def test_what_is_not_named_is_neither_shown_nor_made_anew(made: Made) -> None:
    changed, unchanged, _ = made.outputs
    assert await made.shown({changed: "new"}) == ["new", gr.skip(), None]
    assert made.session[unchanged._id] is unchanged
    assert made.session[made.outputs[KEPT]._id] == "old"


async def test_updates_and_states(made: Made) -> None:
    changed, _, kept = made.outputs
    shown = await made.shown({changed: gr.Textbox(visible=False), kept: "new"})
    assert shown == [{"visible": False, "__type__": "update"}, gr.skip(), None]
    assert made.session[kept._id] == "new"


async def test_an_update_of_a_value_alone_stays_with_its_component(made: Made) -> None:
    shown = await made.shown([gr.update(value="first"), gr.update(value="second"), gr.skip()])
    assert [each and each["value"] for each in shown] == ["first", "second", None]


async def test_lists_and_nothing(made: Made) -> None:
    assert await made.shown([gr.skip(), "new", gr.skip()]) == [gr.skip(), "new", None]
    assert await made.shown([gr.skip()] * 3) == [gr.skip(), gr.skip(), None]


async def test_what_is_no_output_is_an_error(made: Made) -> None:
    with made.blocks:
        stranger = gr.Textbox()
    with pytest.raises(ValueError, match="output"):
        await made.shown({stranger: "new"})


async def test_what_programs_may_call_keeps_its_schema() -> None:
    with PageBlocks(analytics_enabled=False) as blocks:
        callable_text, private_text, button = gr.Textbox(), gr.Textbox(), gr.Button()
        button.click(str, callable_text, None, api_name="made_by_an_extension")
        button.click(str, private_text, None, api_visibility="private")
    components = {each["id"]: each for each in blocks.get_config_file()["components"]}
    assert components[callable_text._id]["api_info_as_input"]["type"] == "string"
    assert "api_info" not in components[private_text._id]
    blocks.config = blocks.get_config_file()
    (parameter,) = blocks.get_api_info()["named_endpoints"]["/made_by_an_extension"]["parameters"]
    assert parameter["type"]["type"] == "string"
