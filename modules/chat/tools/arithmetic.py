"""Evaluates arithmetic expressions without running code, with bounded numbers."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from modules.chat.tools.base import ToolFailed

Number: TypeAlias = int | float

# Python's parser recurses with nesting.
_MAX_LENGTH: Final = 1_000
# Python writes no whole number of more than 4,300 digits.
_MAX_BITS: Final = 14_000
# Larger ones have thousands of digits and take seconds.
_MAX_FACTORIAL: Final = 1_000

_CONSTANTS: Final[Mapping[str, float]] = MappingProxyType({"pi": math.pi, "e": math.e, "tau": math.tau})


def evaluate(expression: str) -> Number:
    """Raises ToolFailed, in words that help to write it better."""
    if len(expression) > _MAX_LENGTH:
        raise ToolFailed(f"The expression is longer than {_MAX_LENGTH} characters.")
    try:
        result = _value(ast.parse(expression.strip(), mode="eval").body)
    except ZeroDivisionError:
        raise ToolFailed("The expression divides by zero.") from None
    except OverflowError:
        raise ToolFailed("The result is too large.") from None
    except (SyntaxError, RecursionError, MemoryError):
        raise ToolFailed("This is not an arithmetic expression; write it as in Python, such as 2 * (3 + 4).") from None
    except (TypeError, ValueError) as error:
        raise ToolFailed(f"The expression cannot be evaluated: {error}.") from None
    return result


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=bool()):
            raise ToolFailed("True and False are no numbers.")
        case ast.Constant(value=int() | float() as number):
            return _bounded(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
            return _SIGNS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _bounded(_OPERATORS[type(op)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](*map(_value, arguments)))
    raise ToolFailed(
        f"Only numbers, the operators + - * / // % **, pi, e, tau and these functions can be used: {', '.join(_FUNCTIONS)}."
    )


def _bounded(result: object) -> Number:
    if isinstance(result, complex) or not isinstance(result, int | float):
        raise ToolFailed("The result is not a real number.")
    if isinstance(result, int) and result.bit_length() > _MAX_BITS:
        raise OverflowError
    return result


def _times(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > _MAX_BITS:
        raise OverflowError
    return left * right


def _power(base: Number, exponent: Number) -> Any:  # noqa: ANN401 - a root of a negative number is complex
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > _MAX_BITS:
        raise OverflowError
    return base**exponent


def _factorial(number: Number) -> int:
    if number > _MAX_FACTORIAL:
        raise OverflowError
    return math.factorial(operator.index(number))  # type: ignore[arg-type]


_SIGNS: Final[Mapping[type[ast.unaryop], Callable[[Number], Number]]] = MappingProxyType(
    {ast.UAdd: operator.pos, ast.USub: operator.neg}
)
# Models write ^ for powers, whatever Python means by it.
_OPERATORS: Final[Mapping[type[ast.operator], Callable[[Number, Number], Any]]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: _times,
        ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv,
        ast.Mod: operator.mod,
        ast.Pow: _power,
        ast.BitXor: _power,
    }
)
_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        **{name: getattr(math, name) for name in ("sqrt", "exp", "log", "log2", "log10", "sin", "cos", "tan")},
        **{name: getattr(math, name) for name in ("asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh")},
        **{name: getattr(math, name) for name in ("floor", "ceil", "trunc", "degrees", "radians", "hypot")},
        "factorial": _factorial,
        "abs": abs,
        "round": round,
        "min": min,
        "max": max,
    }
)
