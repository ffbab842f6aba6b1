"""The characters as pictures; a click on one chooses it."""

from dataclasses import dataclass

import gradio as gr

from extensions.gallery.pictures import Pictures
from modules.extend.host import Host

CHARACTER_MENU = "character_menu"


@dataclass(frozen=True, slots=True)
class Gallery:
    """With `open` the pictures are there when the page is opened, else on request."""

    items_per_page: int = 50
    open: bool = False


def setup(host: Host) -> None:
    settings = host.settings(Gallery)
    host.add_block(lambda: build(host, settings), title="Gallery")


def build(host: Host, settings: Gallery) -> None:
    """Components inside an open page."""
    step = max(1, settings.items_per_page)
    pictures = Pictures(host.runtime.library.characters)
    with gr.Accordion("Gallery of characters", open=settings.open, elem_id="character-gallery") as accordion:
        count = gr.State(step)
        gallery = gr.Gallery(
            pictures.first(step) if settings.open else None,
            show_label=False,
            label="Characters",
            columns=3,
            allow_preview=False,
            interactive=False,
        )
        more = gr.Button("Show more", size="sm")
    gr.on(
        (accordion.expand, count.change),
        pictures.first,
        count,
        gallery,
        show_progress="hidden",
        api_visibility="private",
    )
    more.click(lambda shown: shown + step, count, count, api_visibility="private")
    if menu := host.components.get(CHARACTER_MENU):
        chosen(gallery, menu)


def chosen(gallery: gr.Gallery, menu: gr.Dropdown) -> None:
    """The page's own menu says what happens next, as if the name had been chosen there."""

    def choose(event: gr.SelectData) -> str:
        return str(event.value["caption"])

    gallery.select(choose, None, menu, api_visibility="private")
