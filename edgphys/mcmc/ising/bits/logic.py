# SPDX-License-Identifier: MIT
"""Boolean circuits of multi-spin coding, written for any coordination: counters, classes, threshold bits.

A site's neighbours are added up in all replicas at once: each of q words gives one bit per replica, a network
of full and half adders turns them into the binary digits of their sum, and the sum is decoded into *classes*,
words that are disjoint: a replica is in class k if the probability with which the rule draws its random
decision is the k-th. The rules, with n the number of neighbours counted (see `n_classes`):

    METROPOLIS   no field; n counts the neighbours whose bond a flip would break; n <= q/2 is no class
    HEAT_BATH    n counts the neighbours that are up; class n
    IN_FIELD     Metropolis; n as for heat bath; class n for a spin down, q + 1 + n for a spin up

The circuits are generated while a kernel is compiled, for the number of neighbours that it is compiled for.
"""

from __future__ import annotations

import itertools

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from edgphys.mcmc.ising.bits.simd import load_all, pointer

__all__ = [
    "HEAT_BATH",
    "IN_FIELD",
    "METROPOLIS",
    "base",
    "blank",
    "classify",
    "complete",
    "difference",
    "gather",
    "merge",
    "n_classes",
    "tabulate",
]

_I64 = ir.IntType(64)
METROPOLIS, HEAT_BATH, IN_FIELD = 1, 2, 3


def n_classes(rule: int, coordination: int) -> int:
    """Number of classes; at least 1, so that tables are never empty.

    Examples
    --------
    >>> [n_classes(METROPOLIS, q) for q in (2, 3, 4, 6)], n_classes(HEAT_BATH, 4), n_classes(IN_FIELD, 4)
    ([1, 2, 2, 3], 5, 10)
    """
    if rule == METROPOLIS:
        return max(1, (coordination + 1) // 2)
    return (coordination + 1) * (1 if rule == HEAT_BATH else 2)


def _add(builder, bits: list) -> list:
    """Binary digits, lowest first, of the sum of `bits`."""
    digits = []
    while bits:
        carries = []
        while len(bits) > 1:
            a, b = bits.pop(0), bits.pop(0)
            half = builder.xor(a, b)
            if bits:
                c = bits.pop(0)
                carries.append(builder.or_(builder.and_(a, b), builder.and_(half, c)))
                bits.append(builder.xor(half, c))
            else:
                carries.append(builder.and_(a, b))
                bits.append(half)
        digits.append(bits[0])
        bits = carries
    return digits


def _decode(builder, digits: list, n: int, largest: int):
    """The word of replicas whose digits are those of `n`; no sum exceeds `largest`."""
    others = [m for m in range(largest + 1) if m != n]
    for size in range(len(digits) + 1):
        for places in itertools.combinations(range(len(digits)), size):
            if all(any((m ^ n) >> p & 1 for p in places) for m in others):
                literals = [digits[p] if n >> p & 1 else builder.not_(digits[p]) for p in places]
                return _reduce(builder.and_, literals)
    raise AssertionError("digits that do not tell numbers apart")


def _reduce(operation, values: list):
    result = values[0]
    for value in values[1:]:
        result = operation(result, value)
    return result


def _unpack(builder, tuple_type, value) -> list:
    return cgutils.unpack_tuple(builder, value, tuple_type.count)


def _pack(context, builder, tuple_type, values):
    return context.make_tuple(builder, tuple_type, values)


@intrinsic
def gather(typing, words, neighbours, site, spin, flip, rule, degree):
    """The ``len(degree) - 1`` bits to be counted, as a tuple: neighbours, in Metropolis xor `spin` ^ `flip`.

    `words` is flat, `neighbours` uint32 of shape (n_sites, at least len(degree) - 1).
    """
    n_lanes, q, unequal = spin.n_lanes, degree.count - 1, rule.count == METROPOLIS
    result = types.UniTuple(spin, q)

    def generate(context, builder, sig, args):
        table = context.make_array(sig.args[1])(context, builder, args[1])
        row_length = cgutils.unpack_tuple(builder, table.shape, 2)[1]
        row = builder.gep(table.data, [builder.mul(args[2], row_length)])
        against = builder.xor(args[3], args[4])
        values = []
        for j in range(q):
            other = builder.load(builder.gep(row, [ir.Constant(_I64, j)]))
            place = builder.mul(builder.zext(other, _I64), ir.Constant(_I64, n_lanes))
            word = load_all(builder, pointer(context, builder, sig.args[0], args[0], place, n_lanes))
            values.append(builder.xor(word, against) if unequal else word)
        return _pack(context, builder, result, values)

    return result(words, neighbours, types.uint64, spin, spin, rule, degree), generate


@intrinsic
def classify(typing, bits, spin, rule):
    """``(classes, active)``: the disjoint words of the rule's classes, and their union."""
    q = bits.count
    k = n_classes(rule.count, q)
    classes = types.UniTuple(spin, k)
    result = types.Tuple((classes, spin))

    def generate(context, builder, sig, args):
        zero, ones = (ir.Constant(args[1].type, [fill] * spin.n_lanes) for fill in (0, 2**64 - 1))
        digits = _add(builder, _unpack(builder, sig.args[0], args[0]))
        numbers = range(q // 2 + 1, q + 1) if rule.count == METROPOLIS else range(q + 1)
        values = [_decode(builder, digits, n, q) if q else ones for n in numbers] or [zero]
        if rule.count == METROPOLIS:
            active = _reduce(builder.or_, values)
        else:
            active = ones
        if rule.count == IN_FIELD:
            down = builder.not_(args[1])
            values = [builder.and_(sign, value) for sign in (down, args[1]) for value in values]
        return _pack(context, builder, result, [_pack(context, builder, classes, values), active])

    return result(bits, spin, rule), generate


@intrinsic
def blank(typing, classes):
    """A tuple of zero words like `classes`."""

    def generate(context, builder, sig, args):
        zero = ir.Constant(ir.VectorType(_I64, classes.dtype.n_lanes), [0] * classes.dtype.n_lanes)
        return _pack(context, builder, classes, [zero] * classes.count)

    return classes(classes), generate


@intrinsic
def merge(typing, merged, classes, chosen):
    """`merged` with the replicas `chosen` of `classes` added; the last class is left to `complete`."""

    def generate(context, builder, sig, args):
        old, new = (_unpack(builder, classes, value) for value in args[:2])
        for k in range(classes.count - 1):
            old[k] = builder.or_(old[k], builder.and_(new[k], args[2]))
        return _pack(context, builder, classes, old)

    return classes(merged, classes, chosen), generate


@intrinsic
def complete(typing, merged, union):
    """`merged` with its last class, what the others leave of their `union`."""

    def generate(context, builder, sig, args):
        values = _unpack(builder, merged, args[0])
        values[-1] = _reduce(builder.xor, [args[1], *values[:-1]])
        return _pack(context, builder, merged, values)

    return merged(merged, union), generate


@intrinsic
def base(typing, spin, active, lazy, rule):
    """What the decisions of the active replicas are added to, modulo 2, to give the new spins.

    In Metropolis the others flip unless they are `lazy`.
    """

    def generate(context, builder, sig, args):
        if rule.count == METROPOLIS:
            return builder.xor(builder.not_(args[0]), builder.or_(args[1], args[2]))
        return args[0] if rule.count == IN_FIELD else ir.Constant(args[0].type, [0] * spin.n_lanes)

    return spin(spin, active, lazy, rule), generate


@intrinsic
def tabulate(typing, digits, scratch, classes):
    """Prepare `difference` for these classes: write their unions to `scratch`, if `digits` is a table.

    The union of a set of classes with bits b goes to word ``b * n_lanes``; the empty one is left alone.
    """
    n_lanes = classes.dtype.n_lanes

    def generate(context, builder, sig, args):
        unions = [None]
        for value in _unpack(builder, classes, args[2]) if digits.ndim == 1 else ():
            unions += [value if union is None else builder.or_(union, value) for union in unions]
        for number, union in enumerate(unions[1:], 1):
            place = ir.Constant(_I64, number * n_lanes)
            target = pointer(context, builder, sig.args[1], args[1], place, n_lanes)
            builder.store(union, target).align = 8
        return context.get_dummy_value()

    return types.void(digits, scratch, classes), generate


@intrinsic
def difference(typing, digits, j, scratch, classes):
    """b_j xor b_{j+1} of each replica.

    `digits` is a table, uint64 (n_planes,), of places in the `scratch` that `tabulate` filled, or has planes
    of bits, uint64 (n_planes, n_classes, n_lanes), of which each replica takes that of its class.
    """
    n_lanes = classes.dtype.n_lanes

    def generate(context, builder, sig, args):
        def words(array, place):
            return load_all(builder, pointer(context, builder, sig.args[array], args[array], place, n_lanes))

        if digits.ndim == 1:
            data = context.make_array(digits)(context, builder, args[0]).data
            return words(2, builder.load(builder.gep(data, [args[1]])))
        first = builder.mul(args[1], ir.Constant(_I64, classes.count * n_lanes))
        terms = []
        for k, value in enumerate(_unpack(builder, classes, args[3])):
            terms.append(builder.and_(value, words(0, builder.add(first, ir.Constant(_I64, k * n_lanes)))))
        return _reduce(builder.or_, terms)

    return classes.dtype(digits, types.int64, scratch, classes), generate
