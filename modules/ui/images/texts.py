"""What the Images tab says, as HTML and as values of its fields. Pure."""

import base64
from collections.abc import Mapping
from html import escape
from typing import Final

from modules.media.images.requests import SettingsOfPicture

_LABELS: Final = {
    "image_prompt": "Prompt",
    "image_neg_prompt": "Negative prompt",
    "image_steps": "Steps",
    "image_cfg_scale": "CFG scale",
    "image_seed": "Seed",
    "image_sampler": "Sampler",
    "image_scheduler": "Scheduler",
    "image_strength": "Strength",
    "model": "Model",
    "generated_at": "Made",
}


def progress_html(index: int, count: int, step: int, steps: int, preview: bytes | None) -> str:
    """How far a drawing is, with what is to be seen of it."""
    share = (index + step / max(1, steps)) / max(1, count)
    picture = f"Picture {index + 1} of {count}, step" if count > 1 else "Step"
    words = f"{picture} {step} of {steps}"
    shown = ""
    if preview is not None:
        shown = f'<img alt="Preview" src="data:image/png;base64,{base64.b64encode(preview).decode()}">'
    return f'<div class="drawing" role="status"><label>{words}<progress value="{share:.3f}"></progress></label>{shown}</div>'


def waiting_html(ahead: int) -> str:
    words = "Loading the model." if not ahead else f"Waiting for {ahead} other drawing{'s' * (ahead > 1)}."
    return f'<div class="drawing" role="status"><label>{words}<progress></progress></label></div>'


def done_html(count: int, seconds: float, *, is_stopped: bool) -> str:
    pictures = f"{count} picture{'s' * (count != 1)}"
    words = f"Stopped after {pictures}." if is_stopped else f"{pictures} in {seconds:.1f} s"
    return f'<div class="drawing" role="status">{words}</div>'


def settings_html(settings: SettingsOfPicture) -> str:
    """A list of what is known."""
    if not settings:
        return "<p>Nothing says how this picture was made.</p>"
    rows = [(label, settings[key]) for key, label in _LABELS.items() if settings.get(key) not in {None, ""}]
    if "image_width" in settings and "image_height" in settings:
        rows.insert(2, ("Size", f"{settings['image_width']} × {settings['image_height']}"))
    listed = "".join(f"<dt>{label}</dt><dd>{escape(str(value))}</dd>" for label, value in rows)
    return f'<dl class="picture-settings">{listed}</dl>'


def number(settings: Mapping[str, object], key: str, default: int | None = None) -> float | int | None:
    value = settings.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default


def text(settings: Mapping[str, object], key: str) -> str:
    value = settings.get(key)
    return value if isinstance(value, str) else ""


def sides_for(ratio: str, width: float | None, height: float | None) -> tuple[int, int] | None:
    """Sides of that ratio with about the area of the present ones; None for a ratio that says nothing."""
    across, _, rest = ratio.partition(":")
    down = rest.partition(" ")[0]
    if not (across.isdecimal() and down.isdecimal()):
        return None
    area = (width or 1024) * (height or 1024)
    wide = (area * int(across) / int(down)) ** 0.5
    return _rounded(wide), _rounded(wide * int(down) / int(across))


def _rounded(side: float) -> int:
    return max(64, round(side / 16) * 16)
