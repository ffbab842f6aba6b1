"""ONNX models as bytes.

They are the few messages of `onnx.proto` that a transformer's graph needs, in the wire format of Protocol Buffers. The
package `onnx` is not needed for that, and is large.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

Attribute: TypeAlias = int | float | Sequence[int]

_VARINT: Final = 0
_BYTES: Final = 2
_FIXED32: Final = 5
# The oldest that has what is written here, so that older runtimes read it too.
_IR_VERSION: Final = 8
_STANDARD_OPERATORS: Final = 17
_MICROSOFT: Final = "com.microsoft"
_EXTERNAL: Final = 1
_FLOAT_ATTRIBUTE: Final = 1
_INT_ATTRIBUTE: Final = 2
_INTS_ATTRIBUTE: Final = 7


class ElementType(IntEnum):
    """TensorProto.DataType"""

    FLOAT = 1
    INT32 = 6
    INT64 = 7


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output. A text in `shape` names a size that is known when the graph runs."""

    name: str
    type: ElementType
    shape: tuple[int | str, ...]


@dataclass(slots=True)
class GraphProto:
    """What is added here, in the order of computation, is in `serialized`."""

    inputs: Sequence[Value]
    outputs: Sequence[Value]
    _nodes: list[bytes] = field(default_factory=list)
    _initializers: list[bytes] = field(default_factory=list)
    _count: int = 0

    def node(self, operator: str, *inputs: str, fused: bool = False, output: str = "", **attributes: Attribute) -> str:
        """Returns the name of its output. `fused` are ONNX Runtime's own operators; an input "" is left out."""
        self._count += 1
        output = output or f"{operator}_{self._count}"
        self._nodes.append(
            _message(
                *(_text(1, name) for name in inputs),
                _text(2, output),
                _text(3, f"node_{self._count}"),
                _text(4, operator),
                *(_field(5, _attribute(name, value)) for name, value in attributes.items()),
                _text(7, _MICROSOFT if fused else ""),
            )
        )
        return output

    def external(self, name: str, element: ElementType, shape: Sequence[int]) -> str:
        """EncoderWeights that whoever opens the graph brings under that name."""
        place = _message(_text(1, "location"), _text(2, name))
        self._initializers.append(
            _message(
                *(_number(1, size) for size in shape),
                _number(2, element),
                _text(8, name),
                _field(13, place),
                _number(14, _EXTERNAL),
            )
        )
        return name

    def integers(self, name: str, values: Sequence[int], *, is_scalar: bool = False) -> str:
        """A few numbers in the graph itself."""
        raw = struct.pack(f"<{len(values)}q", *values)
        sizes = () if is_scalar else (_number(1, len(values)),)
        self._initializers.append(_message(*sizes, _number(2, ElementType.INT64), _text(8, name), _field(9, raw)))
        return name

    def serialized(self) -> bytes:
        graph = _message(
            *(_field(1, node) for node in self._nodes),
            _text(2, "encoder"),
            *(_field(5, initializer) for initializer in self._initializers),
            *(_field(11, _value(value)) for value in self.inputs),
            *(_field(12, _value(value)) for value in self.outputs),
        )
        operators = (("", _STANDARD_OPERATORS), (_MICROSOFT, 1))
        return _message(
            _number(1, _IR_VERSION),
            _field(7, graph),
            *(_field(8, _message(_text(1, domain), _number(2, version))) for domain, version in operators),
        )


def _value(value: Value) -> bytes:
    sizes = (_text(2, size) if isinstance(size, str) else _number(1, size) for size in value.shape)
    shape = _message(*(_field(1, size) for size in sizes))
    tensor = _message(_number(1, value.type), _field(2, shape))
    return _message(_text(1, value.name), _field(2, _field(1, tensor)))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, int):
        return _message(_text(1, name), _number(3, value), _number(20, _INT_ATTRIBUTE))
    if isinstance(value, float):
        packed = _key(2, _FIXED32) + struct.pack("<f", value)
        return _message(_text(1, name), packed, _number(20, _FLOAT_ATTRIBUTE))
    return _message(_text(1, name), *(_number(8, item) for item in value), _number(20, _INTS_ATTRIBUTE))


def _message(*fields: bytes) -> bytes:
    return b"".join(fields)


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + _varint(value & (2**64 - 1))


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    out = bytearray([value & 127])
    while value := value >> 7:
        out[-1] |= 128
        out.append(value & 127)
    return bytes(out)
