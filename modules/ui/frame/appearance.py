"""What each browser chooses for itself: theme, density and level."""

from typing import Final

import gradio as gr

_CHOICES: Final = (
    ("look", "Theme", (("system", "System"), ("light", "Light"), ("dark", "Dark"))),
    ("language", "Language", (("system", "System"), ("en", "English"), ("de", "Deutsch"))),
    ("density", "Density", (("comfortable", "Comfortable"), ("compact", "Compact"))),
    ("level", "Controls", (("simple", "Simple"), ("expert", "Expert"))),
)
_HINT: Final = (
    "Simple hides what few need: samplers beyond the main ones, grammars, templates. Hidden settings stay in force."
)


def appearance() -> None:
    """To be called where they shall stand; the page's script does what they say."""
    fields = "".join(_choice(*choice) for choice in _CHOICES)
    gr.HTML(f'<div class="choices">{fields}<p class="hint">{_HINT}</p></div>', padding=False, apply_default_css=False)


def _choice(name: str, title: str, options: tuple[tuple[str, str], ...]) -> str:
    radios = "".join(
        f'<label><input type="radio" name="page-{name}" data-choice="{name}" value="{value}"/><span>{label}</span></label>'
        for value, label in options
    )
    return f'<fieldset id="{name}"><legend>{title}</legend><div class="segments">{radios}</div></fieldset>'
