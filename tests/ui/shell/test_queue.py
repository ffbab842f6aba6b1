"""The queue of the page's events: who came first begins first."""

from typing import Any, Final

import gradio as gr
import pytest
from gradio.queueing import Event

from modules.ui.shell.blocks import PageBlocks

pytestmark = pytest.mark.asyncio

_EVENTS: Final = 12


async def test_events_begin_in_the_order_in_which_they_arrived() -> None:
    with PageBlocks() as blocks:
        for number in range(_EVENTS):
            gr.Button(str(number)).click(lambda: None)
    queue: Any = blocks.queue(default_concurrency_limit=None)._queue
    handlers = list(blocks.fns.values())
    for handler in handlers:
        queue.create_event_queue_for_fn(handler)
    arrived = [Event("session", handler, None, None) for handler in reversed(handlers)]
    for event in arrived:
        queue.event_queue_per_concurrency_id[event.concurrency_id].queue.append(event)
    begun = []
    while (found := queue.get_events()) is not None:
        begun += found[0]
    assert begun == arrived
    assert len(queue.event_queue_per_concurrency_id) == len(handlers)
