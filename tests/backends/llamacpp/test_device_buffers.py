"""What a model takes on graphics cards, as the library's log tells it."""

from modules.backends.llamacpp.library import DeviceBuffers

ON_TWO_CARDS = """\
load_tensors:        CUDA0 model buffer size =  1000.50 MiB
load_tensors:        CUDA1 model buffer size =   500.00 MiB
load_tensors:   CPU_Mapped model buffer size =   166.92 MiB
load_tensors:   CPU_REPACK model buffer size =    77.00 MiB
load_tensors:          AMX model buffer size =    11.00 MiB
llama_context:  CUDA_Host  output buffer size =     0.58 MiB
llama_kv_cache:      CUDA0 KV buffer size =   100.00 MiB
llama_kv_cache:      CUDA0 KV buffer size =    50.00 MiB
llama_memory_recurrent:      CUDA1 RS buffer size =     3.50 MiB
sched_reserve:      CUDA0 compute buffer size =   200.00 MiB
sched_reserve:      CUDA0 compute buffer size =   254.00 MiB
sched_reserve:  CUDA_Host compute buffer size =     9.01 MiB
sched_reserve: graph nodes  = 999
"""


def told(text: str, buffers: DeviceBuffers) -> None:
    for line in text.splitlines():
        buffers.add(line)


def test_buffers_on_cards_are_added_up() -> None:
    """Several caches count together; of the buffers to compute in, what was told last."""
    buffers = DeviceBuffers()
    told(ON_TWO_CARDS, buffers)
    assert buffers.total == (1000.5 + 500 + 150 + 3.5 + 254) * 2**20


def test_a_draft_model_counts_as_well_and_an_earlier_load_does_not() -> None:
    buffers = DeviceBuffers()
    told(ON_TWO_CARDS, buffers)
    buffers.begin()
    told("load_tensors: Vulkan0 model buffer size = 10.00 MiB\nx: Vulkan0 compute buffer size = 5.00 MiB", buffers)
    buffers.begin_next()
    told("load_tensors: Vulkan0 model buffer size = 2.00 MiB\nx: Vulkan0 compute buffer size = 1.00 MiB", buffers)
    assert buffers.total == 18 * 2**20
