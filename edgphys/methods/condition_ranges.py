# SPDX-License-Identifier: MIT
"""Whether one model can serve all points of a scan: the ranges of couplings in which their systems differ.

It can where every system is the first one with some of its `conditions` changed: the same class, lattice and
other parameters, the same energy at a few points.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgphys.errors import ArgumentValueError

__all__ = ["Ranges", "condition_ranges", "range_words"]

Ranges = dict[str, tuple[float, float]]

_N_POINTS, _TOLERANCE = 4, 1e-9  # where energies are compared, and how well they must agree


def condition_ranges(systems: Sequence[Any], preferred: Sequence[str] = ()) -> Ranges:
    """Lowest and highest value of each coupling that varies; as few couplings as tell the systems apart.

    Parameters
    ----------
    systems : sequence of AbstractSystem
        At least one.
    preferred : sequence of str
        Names to take where a system has several for one coupling.

    Returns
    -------
    dict of str to (float, float)
        Empty where all systems are the same.

    Raises
    ------
    ArgumentValueError
        If they differ in more than conditions.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> lattice = lattices.build("chain", (4,))
    >>> condition_ranges([Ising(lattice, temperature=t) for t in (3.0, 1.0, 2.0)])
    {'temperature': (1.0, 3.0)}
    >>> condition_ranges([Ising(lattice, temperature=2.0, coupling=j) for j in (1.0, 2.0)])
    Traceback (most recent call last):
    edgphys.errors.ArgumentValueError: the points differ in more than temperature and field
    """
    first = systems[0]
    if not all(type(one) is type(first) for one in systems):
        raise ArgumentValueError("the points have systems of several classes", "make_system")
    shared = [name for name in first.conditions if all(name in one.couplings for one in systems)]
    every = {name: [one.couplings[name] for one in systems] for name in shared}
    varying = sorted((name for name in every if len(set(every[name])) > 1), key=lambda n: n not in preferred)
    for size in range(len(varying) + 1):
        for names in itertools.combinations(varying, size):
            if all(_differ_only_in(first, other, names) for other in systems[1:]):
                return {name: (min(every[name]), max(every[name])) for name in names}
    allowed = " and ".join(first.conditions)
    words = f"the points differ in more than {allowed}"
    if not allowed:
        words = f"no parameter of {first.name} can vary within one"
    raise ArgumentValueError(words, "make_system")


def _differ_only_in(first: Any, other: Any, names: Sequence[str]) -> bool:
    try:
        moved = first.replace(**{name: other.couplings[name] for name in names}) if names else first
    except (TypeError, ValueError):  # names of two conventions, which do not go together
        return False
    if moved.identity() != other.identity():
        return False
    import torch

    # A class of one's own may hold what its identity does not tell.
    x = torch.from_numpy(first.random_configurations(_N_POINTS, np.random.default_rng(0)))
    energies = [one.reduced_energy(x).detach() for one in (moved, other)]
    return bool(torch.allclose(*energies, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True))


def range_words(ranges: Mapping[str, tuple[float, float]]) -> str:
    """The ranges for a reader.

    Examples
    --------
    >>> range_words({"temperature": (1.8, 3.2), "field": (0.0, 0.1)})
    'temperature 1.8 to 3.2 and field 0 to 0.1'
    """
    return " and ".join(f"{name} {low:.8g} to {high:.8g}" for name, (low, high) in ranges.items())
