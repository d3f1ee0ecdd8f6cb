# SPDX-License-Identifier: MIT
r"""A torch function of a number, or several, as a numba function with its derivative: for compiled chains.

`torch.fx` gives the operations of the function one after the other, v_k = f_k(v_i, v_j). Each becomes a line
on floats, and next to it the chain rule, d_k = sum_i (df_k / dv_i) d_i, so that the derivative is that of
autograd; of several arguments the derivative is that by the first, all others being constants. What decides
on values in Python, or takes tensors of more than one number, cannot be traced.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numba

from edgphys._lazy import LazyModule

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")

__all__ = ["UntraceableError", "plain_python", "source_of", "traced"]

# Value of operands {0}, {1}, and its derivative by each of them, in which {v} is the value.
_SMOOTH: dict[str, tuple[str, ...]] = {
    "add": ("{0} + {1}", "1.0", "1.0"),
    "sub": ("{0} - {1}", "1.0", "-1.0"),
    "rsub": ("{1} - {0}", "-1.0", "1.0"),
    "mul": ("{0} * {1}", "{1}", "{0}"),
    "div": ("{0} / {1}", "1.0 / {1}", "-{v} / {1}"),
    "neg": ("-{0}", "-1.0"),
    "reciprocal": ("1.0 / {0}", "-{v} * {v}"),
    "square": ("{0} * {0}", "2.0 * {0}"),
    "sqrt": ("math.sqrt({0})", "0.5 / {v}"),
    "rsqrt": ("1.0 / math.sqrt({0})", "-0.5 * {v} / {0}"),
    "abs": ("abs({0})", "math.copysign(1.0, {0})"),
    "exp": ("math.exp({0})", "{v}"),
    "exp2": ("2.0 ** {0}", f"{math.log(2.0)!r} * {{v}}"),
    "expm1": ("math.expm1({0})", "{v} + 1.0"),
    "log": ("math.log({0})", "1.0 / {0}"),
    "log1p": ("math.log1p({0})", "1.0 / (1.0 + {0})"),
    "log2": ("math.log2({0})", f"{1.0 / math.log(2.0)!r} / {{0}}"),
    "log10": ("math.log10({0})", f"{1.0 / math.log(10.0)!r} / {{0}}"),
    "sin": ("math.sin({0})", "math.cos({0})"),
    "cos": ("math.cos({0})", "-math.sin({0})"),
    "tan": ("math.tan({0})", "1.0 + {v} * {v}"),
    "atan": ("math.atan({0})", "1.0 / (1.0 + {0} * {0})"),
    "sinh": ("math.sinh({0})", "math.cosh({0})"),
    "cosh": ("math.cosh({0})", "math.sinh({0})"),
    "tanh": ("math.tanh({0})", "1.0 - {v} * {v}"),
    "sigmoid": ("1.0 / (1.0 + math.exp(-{0}))", "{v} * (1.0 - {v})"),
    "erf": ("math.erf({0})", f"{2.0 / math.sqrt(math.pi)!r} * math.exp(-{{0}} * {{0}})"),
    "erfc": ("math.erfc({0})", f"{-2.0 / math.sqrt(math.pi)!r} * math.exp(-{{0}} * {{0}})"),
}
# Condition, and which of the operands is taken where it holds, and where not.
_CHOICES: dict[str, tuple[str, int, int]] = {
    "where": ("{0}", 1, 2),
    "minimum": ("{0} < {1}", 0, 1),
    "maximum": ("{0} > {1}", 0, 1),
    "clamp_min": ("{0} >= {1}", 0, 1),
    "clamp_max": ("{0} <= {1}", 0, 1),
}
_CONDITIONS = {
    **{"lt": "{0} < {1}", "le": "{0} <= {1}", "gt": "{0} > {1}", "ge": "{0} >= {1}"},
    **{"eq": "{0} == {1}", "ne": "{0} != {1}", "logical_not": "not {0}", "invert": "not {0}"},
    **{"and_": "{0} and {1}", "or_": "{0} or {1}", "logical_and": "{0} and {1}", "logical_or": "{0} or {1}"},
}
_SAME_NAME = {"truediv": "div", "true_divide": "div", "divide": "div", "multiply": "mul", "subtract": "sub"}
_SAME_NAME |= {"negative": "neg", "absolute": "abs", "arctan": "atan", "min": "minimum", "max": "maximum"}
_SAME_NAME |= {"clip": "clamp", "double": "same", "clone": "same", "contiguous": "same", "relu": "relu"}
_NONE: Mapping[str, str] = {}
_CONSTANTS = {"zeros_like": 0.0, "ones_like": 1.0}


class UntraceableError(Exception):
    """A function that has no translation; the message says why."""


def traced(function: Callable, others: Mapping[str, str] = _NONE, arguments: str = "x") -> Callable:
    """The numba function x -> (f(x), f'(x)) of a torch function f; compiled when it is called first.

    Parameters
    ----------
    function : callable
        f(x), or f(x, y) and so on, of torch tensors; further arguments keep their defaults.
    others : mapping of str to str, optional
        What stands for further arguments of f, by their names: ``{"b": "y", "mass": "p[0]"}``.
    arguments : str
        Those of the result, of which `others` makes use: "x, y, p".

    Raises
    ------
    UntraceableError
        If there is none.

    Examples
    --------
    >>> traced(lambda d2: d2**-6 - 2 * d2**-3)(1.0)
    (-1.0, 0.0)
    """
    return numba.njit(nogil=True, error_model="numpy")(plain_python(function, others, arguments))


def plain_python(
    function: Callable, others: Mapping[str, str] = _NONE, arguments: str = "x"
) -> Callable[..., tuple[float, float]]:
    """As `traced`, not to be compiled."""
    scope: dict[str, Any] = {"math": math}
    exec(source_of(function, others, arguments), scope)
    return scope["law"]


def source_of(function: Callable, others: Mapping[str, str] = _NONE, arguments: str = "x") -> str:
    """Source of ``law(x)``, or of a law of more arguments.

    Examples
    --------
    >>> print(source_of(lambda x: x.sqrt() + 1))
    def law(x):
        v0 = math.sqrt(x)
        d0 = (0.5 / v0) * 1.0
        v2 = v0 + 1.0
        d2 = d0
        return v2, d2
    >>> print(source_of(lambda x, y, mass: mass * (x - y), {"y": "y", "mass": "p[0]"}, "x, y, p"))
    def law(x, y, p):
        v0 = x - y
        d0 = 1.0
        v2 = p[0] * v0
        d2 = (p[0]) * d0
        return v2, d2
    """
    try:
        tracer = torch.fx.Tracer()
        graph = tracer.trace(function)
    except Exception as error:  # whatever a function does with what is no tensor
        first = (str(error).strip().splitlines() or [""])[0]
        raise UntraceableError(f"{type(error).__name__}: {first}") from error
    return _Lines(tracer.root).of(graph, others, arguments)


class _Lines:
    """The lines so far, and by node the names of its value and its derivative, None for a constant."""

    def __init__(self, root) -> None:
        self.root, self.lines, self.known = root, [], {}

    def of(self, graph, others: Mapping[str, str], arguments: str) -> str:
        inputs = [node for node in graph.nodes if node.op == "placeholder"]
        for node in inputs[1:]:
            if node.target in others:
                self.known[node] = others[node.target], None
            else:  # arguments with defaults
                self.known[node] = self._number(node.args[0] if node.args else None), None
        for node in graph.nodes:
            if node is inputs[0]:
                self.known[node] = "x", "1.0"
            elif node.op == "output":
                value, slope = self._operand(node.args[0])
                self.lines.append(f"return {value}, {slope or '0.0'}")
            elif node.op != "placeholder":
                self.known[node] = self._line(node)
        return f"def law({arguments}):\n    " + "\n    ".join(self.lines)

    def _line(self, node) -> tuple[str, str | None]:
        if node.op == "get_attr":
            return self._number(operator.attrgetter(node.target)(self.root)), None
        if node.op == "call_module":
            raise UntraceableError(f"module {node.target}")
        name = node.target if node.op == "call_method" else node.target.__name__
        name = _SAME_NAME.get(name.strip("_") if name not in ("and_", "or_") else name, name)
        arguments = [*node.args, *node.kwargs.values()]
        if set(node.kwargs) - {"min", "max", "other", "input", "exponent"}:
            raise UntraceableError(f"{name} with {', '.join(node.kwargs)}")
        if name in _CONSTANTS:
            return repr(_CONSTANTS[name]), None
        if name == "clamp":
            return self._clamp(node)
        if name == "relu":
            name, arguments = "clamp_min", [arguments[0], 0.0]
        operands = [self._operand(one) for one in arguments]
        if name == "same":
            return operands[0]
        if name == "pow":
            return self._power(*operands)
        return self._by_rule(name, operands)

    def _by_rule(self, name: str, operands: list) -> tuple[str, str | None]:
        values = [value for value, _ in operands]
        if name in _CONDITIONS:
            return self._new(f"({_CONDITIONS[name].format(*values)})", None)
        if name in _CHOICES:
            condition, one, other = _CHOICES[name]
            condition = condition.format(*values)
            slopes = [slope or "0.0" for _, slope in operands]
            slope = f"{slopes[one]} if {condition} else {slopes[other]}"
            return self._new(f"{values[one]} if {condition} else {values[other]}", slope)
        if name not in _SMOOTH or len(operands) != len(_SMOOTH[name]) - 1:
            raise UntraceableError(f"torch operation {name}")
        rule, *partials = _SMOOTH[name]
        terms = [
            slope if partial == "1.0" else f"({partial}) * {slope}"
            for partial, (_, slope) in zip(partials, operands, strict=True)
            if slope is not None
        ]
        slope = " + ".join(terms).format(*values, v=f"v{len(self.lines)}") if terms else None
        return self._new(rule.format(*values), slope)

    def _clamp(self, node) -> tuple[str, str | None]:
        ends = dict(zip(("min", "max"), node.args[1:], strict=False)) | node.kwargs
        result = self._operand(node.args[0])
        for name, at in ends.items():
            if at is not None:
                result = self._by_rule(f"clamp_{name}", [result, self._operand(at)])
        return result

    def _power(self, base, exponent) -> tuple[str, str | None]:
        (value, slope), (power, power_slope) = base, exponent
        if power_slope is None:
            number = float(power)
            along = None if slope is None else f"({number!r} * {_to_power(value, number - 1.0)}) * {slope}"
            return self._new(_to_power(value, number), along)
        if slope is None:
            return self._new(f"{value} ** {power}", f"v{len(self.lines)} * math.log({value}) * {power_slope}")
        raise UntraceableError("a power whose base and exponent both vary")

    def _new(self, value: str, slope: str | None) -> tuple[str, str | None]:
        k = len(self.lines)
        self.lines.append(f"v{k} = {value}")
        if slope is None:
            return f"v{k}", None
        self.lines.append(f"d{k} = {slope}")
        return f"v{k}", f"d{k}"

    def _operand(self, one) -> tuple[str, str | None]:
        return self.known[one] if isinstance(one, torch.fx.Node) else (self._number(one), None)

    @staticmethod
    def _number(one) -> str:
        if isinstance(one, torch.Tensor) and one.numel() == 1:
            one = one.item()
        if isinstance(one, bool) or not isinstance(one, int | float):
            raise UntraceableError(f"an operand {type(one).__name__}")
        number = float(one)
        return repr(number) if math.isfinite(number) else f"math.{'inf' if number > 0 else 'nan'}"


def _to_power(value: str, power: float) -> str:
    """Whole powers are products; numba's own negative ones raise at 0."""
    if not power.is_integer():
        return f"{value} ** {power!r}"
    return f"{value} ** {int(power)}" if power >= 0 else f"(1.0 / {value} ** {-int(power)})"
