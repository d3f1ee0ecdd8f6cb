# SPDX-License-Identifier: MIT
"""Vectors of 64-bit words for numba kernels: several words that are operated on together.

`Words(n)` is a numba type whose values are LLVM vectors of n unsigned 64-bit integers. Inside compiled
functions they know ``& | ^ ~ +`` and the functions below; each becomes one machine instruction per register
(two 256-bit registers for n = 8 on AVX2). Loops over such values need no automatic vectorisation, which
gives up as soon as a kernel keeps a generator's state across its iterations.

Numbers that a kernel is to be compiled for (the number of lanes, of neighbours ...) are passed as tuples made
by `static`: the length of a tuple belongs to its type.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

__all__ = [
    "Words",
    "any_set",
    "load",
    "load_all",
    "pointer",
    "rotate_left_24",
    "shift_left",
    "shift_right",
    "splat",
    "static",
    "store",
    "trailing_zeros",
]

_I64 = ir.IntType(64)


class Words(types.Type):
    """numba type of a vector of `n_lanes` unsigned 64-bit words; exists inside compiled functions only."""

    def __init__(self, n_lanes: int) -> None:
        self.n_lanes = n_lanes
        super().__init__(name=f"Words({n_lanes})")


@register_model(Words)
class _WordsModel(models.PrimitiveModel):
    def __init__(self, manager, words: Words) -> None:
        super().__init__(manager, words, ir.VectorType(_I64, words.n_lanes))


def static(n: int) -> tuple[int, ...]:
    """A tuple of length `n` >= 1, whose length a kernel is compiled for.

    Examples
    --------
    >>> len(static(4))
    4
    """
    return (0,) * n


def _register(function, instruction: str, n_arguments: int) -> None:
    """Let `function` of `n_arguments` equal Words be the LLVM `instruction`."""

    @infer_global(function)
    class _Rule(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == n_arguments and isinstance(args[0], Words) and len(set(args)) == 1:
                return signature(args[0], *args)
            return None

    @lower_builtin(function, *(Words,) * n_arguments)
    def _lower(context, builder, sig, args):
        return getattr(builder, instruction)(*args)


_register(operator.invert, "not_", 1)
for _name, _instruction in {"and_": "and_", "or_": "or_", "xor": "xor", "add": "add"}.items():
    _register(getattr(operator, _name), _instruction, 2)
for _name, _instruction in {"iand": "and_", "ior": "or_", "ixor": "xor", "iadd": "add"}.items():
    _register(getattr(operator, _name), _instruction, 2)


def _shift(instruction: str):
    @intrinsic
    def shift(typing, words, places):
        n = places.count if isinstance(places, types.UniTuple) else 0

        def generate(context, builder, sig, args):
            constant = ir.Constant(args[0].type, [n] * words.n_lanes)
            return getattr(builder, instruction)(args[0], constant)

        return words(words, places), generate

    return shift


shift_left = _shift("shl")  # (words, static(places))
shift_right = _shift("lshr")


@intrinsic
def rotate_left_24(typing, words):
    """Each word rotated by three bytes: a byte shuffle, one instruction where a rotation takes three."""

    def generate(context, builder, sig, args):
        n = words.n_lanes
        as_bytes = builder.bitcast(args[0], ir.VectorType(ir.IntType(8), 8 * n))
        places = [8 * lane + (byte - 3) % 8 for lane in range(n) for byte in range(8)]
        order = ir.Constant(ir.VectorType(ir.IntType(32), 8 * n), places)
        return builder.bitcast(builder.shuffle_vector(as_bytes, as_bytes, order), args[0].type)

    return words(words), generate


@intrinsic
def splat(typing, word, lanes):
    """The same word in each of ``len(lanes)`` lanes."""
    n = lanes.count

    def generate(context, builder, sig, args):
        zero = ir.Constant(ir.IntType(32), 0)
        first = builder.insert_element(ir.Constant(ir.VectorType(_I64, n), ir.Undefined), args[0], zero)
        return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), n), [0] * n))

    return Words(n)(types.uint64, lanes), generate


def pointer(context, builder, array_type, array, place, n_lanes: int):
    """LLVM pointer to `n_lanes` words of a contiguous uint64 array from the flat index `place` on."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), ir.VectorType(_I64, n_lanes).as_pointer())


def load_all(builder, place):
    """LLVM value of the vector at a pointer; arrays promise alignment to words, not to vectors."""
    value = builder.load(place)
    value.align = 8
    return value


@intrinsic
def load(typing, array, place, lanes):
    """``len(lanes)`` words of a contiguous uint64 array from the flat index `place` on."""
    n = lanes.count

    def generate(context, builder, sig, args):
        return load_all(builder, pointer(context, builder, sig.args[0], args[0], args[1], n))

    return Words(n)(array, types.uint64, lanes), generate


@intrinsic
def store(typing, array, place, words):
    """Write a vector into a contiguous uint64 array from the flat index `place` on."""

    def generate(context, builder, sig, args):
        target = pointer(context, builder, sig.args[0], args[0], args[1], words.n_lanes)
        builder.store(args[2], target).align = 8
        return context.get_dummy_value()

    return types.void(array, types.uint64, words), generate


@intrinsic
def any_set(typing, words):
    """Whether any bit of any lane is set."""

    def generate(context, builder, sig, args):
        kind = ir.FunctionType(_I64, [args[0].type])
        name = f"llvm.vector.reduce.or.v{words.n_lanes}i64"
        reduce_or = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.icmp_unsigned("!=", builder.call(reduce_or, args), ir.Constant(_I64, 0))

    return types.boolean(words), generate


@intrinsic
def trailing_zeros(typing, word):
    """Number of zero bits below the lowest one of a uint64 that is not zero."""

    def generate(context, builder, sig, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate
