"""The page's colours, lines and distances, as Gradio's components take them."""

from typing import Any, Final

from gradio.themes import Base

_LINE: Final = "*border_color_primary"
# Borders instead of filled grounds: what is written stands out, not the field that it stands in.
_GROUNDS: Final = {
    "body_background_fill": "white",
    "body_background_fill_dark": "*neutral_950",
    "background_fill_primary": "white",
    "background_fill_primary_dark": "*neutral_950",
    "background_fill_secondary": "*neutral_100",
    "background_fill_secondary_dark": "*neutral_900",
    "border_color_primary": "*neutral_300",
    "border_color_primary_dark": "*neutral_700",
    "panel_background_fill": "transparent",
    "panel_background_fill_dark": "transparent",
    "panel_border_width": "0px",
}
_BLOCKS: Final = {
    "block_background_fill": "transparent",
    "block_background_fill_dark": "transparent",
    "block_border_width": "0px",
    "block_border_width_dark": "0px",
    "block_padding": "0px",
    "block_radius": "8px",
    "block_shadow": "none",
    "block_shadow_dark": "none",
    "block_label_background_fill": "transparent",
    "block_label_background_fill_dark": "transparent",
    "block_label_border_width": "0px",
    "block_label_border_width_dark": "0px",
    "block_title_text_size": "14px",
    "block_title_text_weight": "500",
    "block_title_text_color": "*body_text_color",
    "block_title_text_color_dark": "*body_text_color",
    "block_label_text_size": "14px",
    "block_info_text_size": "13px",
    "form_gap_width": "16px",
    "layout_gap": "16px",
}
_FIELDS: Final = {
    "input_background_fill": "*background_fill_primary",
    "input_background_fill_dark": "*background_fill_primary",
    "input_background_fill_focus": "*background_fill_primary",
    "input_background_fill_focus_dark": "*background_fill_primary",
    "input_background_fill_hover": "*background_fill_primary",
    "input_background_fill_hover_dark": "*background_fill_primary",
    "input_border_width": "1px",
    "input_border_width_dark": "1px",
    "input_border_color": _LINE,
    "input_border_color_dark": _LINE,
    "input_border_color_focus": "*primary_500",
    "input_border_color_focus_dark": "*primary_500",
    "input_padding": "8px 12px",
    "input_radius": "8px",
    "input_text_size": "14px",
    "checkbox_background_color": "*background_fill_primary",
    "checkbox_background_color_dark": "*background_fill_primary",
    "checkbox_border_color": "*neutral_500",
    "checkbox_border_color_dark": "*neutral_500",
    "checkbox_label_background_fill": "transparent",
    "checkbox_label_background_fill_dark": "transparent",
    "checkbox_label_background_fill_hover": "*background_fill_secondary",
    "checkbox_label_background_fill_hover_dark": "*background_fill_secondary",
    "checkbox_label_background_fill_selected": "*background_fill_secondary",
    "checkbox_label_background_fill_selected_dark": "*background_fill_secondary",
    "checkbox_label_border_width": "1px",
    "checkbox_label_border_width_dark": "1px",
    "checkbox_label_border_color": _LINE,
    "checkbox_label_border_color_dark": _LINE,
    "checkbox_label_padding": "6px 12px",
    "checkbox_label_text_size": "14px",
    "checkbox_label_shadow": "none",
    "slider_color": "*primary_600",
    "slider_color_dark": "*primary_500",
}
_BUTTONS: Final = {
    "button_border_width": "1px",
    "button_border_width_dark": "1px",
    "button_secondary_background_fill": "transparent",
    "button_secondary_background_fill_dark": "transparent",
    "button_secondary_background_fill_hover": "*background_fill_secondary",
    "button_secondary_background_fill_hover_dark": "*background_fill_secondary",
    "button_secondary_border_color": _LINE,
    "button_secondary_border_color_dark": _LINE,
    "button_secondary_border_color_hover": _LINE,
    "button_secondary_border_color_hover_dark": _LINE,
    "button_secondary_text_color": "*body_text_color",
    "button_secondary_text_color_dark": "*body_text_color",
    "button_primary_border_color": "transparent",
    "button_primary_border_color_dark": "transparent",
    "button_primary_background_fill_dark": "*primary_600",
    "button_small_padding": "5px 12px",
    "button_small_text_size": "14px",
    "button_small_text_weight": "500",
    "button_small_radius": "8px",
    "button_medium_radius": "8px",
    "button_large_radius": "8px",
}


def theme() -> Base:
    """System fonts: nothing is fetched from elsewhere, and nothing flickers."""
    made: Any = Base(
        primary_hue="indigo",
        neutral_hue="slate",
        radius_size="md",
        font=("system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    )
    return made.set(**_GROUNDS, **_BLOCKS, **_FIELDS, **_BUTTONS)
