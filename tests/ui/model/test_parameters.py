"""What the fields of the Model tab show, sent back unchanged, is what the settings say."""

import gradio as gr
import pytest

from modules.models.options import LoadOptions, options_of_loader
from modules.settings.values import Settings
from modules.ui.model.parameters import LoadParameters

CHANGED = Settings.model_validate(
    {"tensor_split": (3, 1.5), "override_tensor": ("a.*=CPU", "b=CPU"), "device": ("none",), "ctx_size": 512}
)


@pytest.mark.parametrize("settings", [Settings(), CHANGED], ids=["defaults", "changed"])
@pytest.mark.parametrize("loader", Settings.backends.names)
async def test_fields_hold_what_they_show(settings: Settings, loader: str) -> None:
    with gr.Blocks():
        parameters = LoadParameters(settings)
    entered = {component: getattr(component, "value", None) for component in parameters.components}
    sent = LoadOptions.parse(parameters.values(entered, loader)).applied_to(settings)
    for name in options_of_loader(Settings, loader):
        assert getattr(sent, name) == getattr(settings, name), name
