"""Where llama.cpp puts a model: devices, workers on other machines, buffers of single tensors."""

import ctypes
import socket
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from llama_cpp import _ctypes_extensions, _ggml
from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.options import (
    EXPERTS,
    NO_DEVICE,
    SPLIT_MODES,
    LlamaCppOptions,
    override_parts,
    without_devices,
)
from modules.errors import LoadFailed

_CPU_DEVICE: Final = 0  # ggml-backend.h, enum ggml_backend_dev_type
_CPU_BUFFER: Final = "CPU"
_RPC: Final = b"RPC"
_CONNECT_SECONDS: Final = 5
_ADD_WORKER: Final = b"ggml_backend_rpc_add_server"
_FUNCTIONS: Final = MappingProxyType(
    {
        "ggml_backend_dev_count": (ctypes.c_size_t, ()),
        "ggml_backend_dev_get": (ctypes.c_void_p, (ctypes.c_size_t,)),
        "ggml_backend_dev_name": (ctypes.c_char_p, (ctypes.c_void_p,)),
        "ggml_backend_dev_type": (ctypes.c_int, (ctypes.c_void_p,)),
        "ggml_backend_dev_buffer_type": (ctypes.c_void_p, (ctypes.c_void_p,)),
        "ggml_backend_buft_name": (ctypes.c_char_p, (ctypes.c_void_p,)),
        "ggml_backend_reg_by_name": (ctypes.c_void_p, (ctypes.c_char_p,)),
        "ggml_backend_reg_get_proc_address": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)),
        "ggml_backend_register": (None, (ctypes.c_void_p,)),
    }
)


class _Override(ctypes.Structure):
    """llama.h, struct llama_model_tensor_buft_override."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buffer", ctypes.c_void_p))


class Devices:
    """The devices and kinds of buffers that ggml has in this process: llama-cpp-python binds none of its functions."""

    def __init__(self) -> None:
        base = _ctypes_extensions.load_shared_library("ggml-base", _ggml.libggml_base_path)
        self._workers: set[str] = set()
        self._functions = {name: _bound((base, _ggml.libggml), name) for name in _FUNCTIONS}

    def by_name(self) -> Mapping[str, int]:
        """Addresses of the devices other than the CPU."""
        found = {self._text("ggml_backend_dev_name", each): each for each in self._all()}
        return {name: each for name, each in found.items() if self._ask("ggml_backend_dev_type", each) != _CPU_DEVICE}

    def buffers(self) -> Mapping[str, int]:
        """Addresses of the kinds of buffers, by name."""
        kinds = (self._ask("ggml_backend_dev_buffer_type", each) for each in self._all())
        return {self._text("ggml_backend_buft_name", kind): kind for kind in kinds if kind}

    def add_worker(self, address: str) -> None:
        """The devices of the RPC worker at `address`, "host:port", join the others, once. Raises LoadFailed."""
        if address in self._workers:
            return
        registry = self._ask("ggml_backend_reg_by_name", _RPC)
        adding = registry and self._ask("ggml_backend_reg_get_proc_address", registry, _ADD_WORKER)
        if not adding:
            raise LoadFailed(
                "--rpc needs a build of llama.cpp with RPC, which this one is not. Set CMAKE_ARGS=-DGGML_RPC=on and run "
                "`python3 one_click.py install`, or leave --rpc out."
            )
        _check_answers(address)
        worker = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p)(adding)(address.encode())
        if not worker:
            raise _no_worker(address)
        self._ask("ggml_backend_register", worker)
        self._workers.add(address)

    def _all(self) -> Sequence[int]:
        return [self._ask("ggml_backend_dev_get", index) for index in range(self._ask("ggml_backend_dev_count"))]

    def _ask(self, name: str, *arguments: int | bytes) -> int:
        return int(self._functions[name](*arguments) or 0)

    def _text(self, name: str, address: int) -> str:
        return bytes(self._functions[name](address)).decode("utf-8", "replace")


class Placement:
    """The parameters of a load that say where the model goes. It holds their memory, so it has to live until the model is
    loaded. Raises LoadFailed for a device, worker or buffer that there is not."""

    def __init__(self, options: LlamaCppOptions, devices: Devices) -> None:
        for address in options.rpc:
            devices.add_worker(address)
        self._options = options
        self._devices = _devices(options, devices)
        self._split = _split(options)
        self._overrides = _overrides(options, devices)

    def apply(self, params: Any) -> None:
        """To a `llama_model_params`."""
        params.split_mode = SPLIT_MODES[self._options.split_mode]
        params.main_gpu = self._options.main_gpu
        if self._split is not None:
            params.tensor_split = self._split
        if self._devices is not None:
            params.devices = ctypes.cast(self._devices, ctypes.c_void_p)
        if self._overrides is not None:
            params.tensor_buft_overrides = ctypes.cast(self._overrides, ctypes.c_void_p)


def _bound(libraries: Sequence[Any], name: str) -> Any:
    """On Windows a library has only its own functions, so both are looked through."""
    function = next(getattr(library, name) for library in libraries if hasattr(library, name))
    function.restype, function.argtypes = _FUNCTIONS[name]
    return function


def _check_answers(address: str) -> None:
    """llama.cpp ends the process where it cannot connect."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError, ValueError):
        raise _no_worker(address) from None


def _no_worker(address: str) -> LoadFailed:
    return LoadFailed(f"The RPC worker at {address} does not answer. Start llama.cpp's rpc-server there first.")


def _devices(options: LlamaCppOptions, devices: Devices) -> Any:
    """A list that ends with a null pointer, or None for llama.cpp's own choice, which leaves out workers without GPU."""
    there = devices.by_name()
    if not options.device and not options.rpc:
        return None
    wanted = () if without_devices(options) else options.device or tuple(there)
    for name in wanted:
        if name not in there:
            known = ", ".join((*there, NO_DEVICE))
            raise LoadFailed(f"--device {name[:40]!a} is not there. Choose among: {known}.")
    return (ctypes.c_void_p * (len(wanted) + 1))(*(there[name] for name in wanted))


def _split(options: LlamaCppOptions) -> Any:
    if not options.tensor_split:
        return None
    room = max(len(options.tensor_split), c.llama_max_devices())
    return (ctypes.c_float * room)(*options.tensor_split)


def _overrides(options: LlamaCppOptions, devices: Devices) -> Any:
    """The first pattern that matches a tensor counts, so the user's own come first. The last entry is empty."""
    there = devices.buffers()
    wanted = [*(_checked(item, there) for item in options.override_tensor), *_experts(options, there[_CPU_BUFFER])]
    if not wanted:
        return None
    return (_Override * (len(wanted) + 1))(*(_Override(pattern.encode(), buffer) for pattern, buffer in wanted))


def _checked(item: str, there: Mapping[str, int]) -> tuple[str, int]:
    pattern, buffer = override_parts(item)
    if buffer not in there:
        raise LoadFailed(f"--override-tensor names the buffer {buffer[:40]!a}. Choose one of: {', '.join(there)}.")
    return pattern, there[buffer]


def _experts(options: LlamaCppOptions, cpu: int) -> list[tuple[str, int]]:
    if options.cpu_moe:
        return [(EXPERTS, cpu)]
    return [(rf"blk\.{layer}{EXPERTS}", cpu) for layer in range(max(0, options.n_cpu_moe))]
