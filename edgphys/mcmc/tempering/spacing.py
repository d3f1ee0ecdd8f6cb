# SPDX-License-Identifier: MIT
r"""Where to put the rungs of a ladder so that all neighbours swap equally often.

Along a line of action coefficients a(t) the natural measure is the thermodynamic length

    l = int sqrt(Var(a'(t) . X)) dt,     acceptance of a swap over a length l = erfc(l / 2)

for Gaussian energies of one variance. Two rungs i, j tell their distance in two ways:

    l^2 = (a_i - a_j) . (<X>_j - <X>_i)         holds for any distance; >= l^2 by Cauchy and Schwarz
    l = 2 erfcinv(measured acceptance)          equalises what is wanted, but needs some acceptance

A first pilot run of evenly spaced rungs gives the first; the lengths are summed up along the ladder, the line
is cut into equal parts by monotone interpolation, and further pilots on the new rungs use the second. At the
fixed point all acceptances are equal, whatever the law of the energies.

References
----------
Predescu, Predescu and Ciobanu, J. Chem. Phys. 120, 4119 (2004), doi:10.1063/1.1644093 (erfc). Syed,
Bouchard-Cote, Deligiannidis and Doucet, J. R. Stat. Soc. B 84, 321 (2022), arXiv:1905.02939, section 5
(equal rejections by interpolating their running sum).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import scipy
import xarray as xr

from edgphys import _checks
from edgphys._sizes import at_most
from edgphys.errors import ArgumentTypeError, ArgumentValueError, UnknownNameError
from edgphys.mcmc.tempering.temper import temper

__all__ = ["find_rungs", "space_ladder", "swap_lengths"]

_FIRST_RUNGS = 8
_MOST_RUNGS = 512
# Below, an acceptance is too rare to tell a length.
_LEAST_RATE = 0.02


def space_ladder(
    system,
    n_rungs: int | None = None,
    swap_rate: float = 0.4,
    seed: int | None = None,
    *,
    algorithm: str | None = None,
    n_chains: int = 4,
    n_sweeps: int = 1000,
    n_pilots: int = 3,
    n_threads: int | None = None,
    options: Mapping | None = None,
    **coupling: tuple[float, float],
) -> np.ndarray:
    """Values of a coupling, from one end to the other, between which swaps are equally likely.

    Parameters
    ----------
    system : edgphys.systems.AbstractSystem
    n_rungs : int, optional
        Number of values, ends included; by default as many as `swap_rate` takes.
    swap_rate : float
        Wanted acceptance between neighbours, 0 to 1; not used with `n_rungs`.
    seed : int
        Required, non-negative.
    algorithm, n_chains, n_sweeps, n_threads, options
        Of each pilot run, as for `edgphys.mcmc.temper`.
    n_pilots : int
        Pilot runs. The first is on evenly spaced rungs, the others improve on the one before.
    **coupling : (float, float)
        One coupling with its first and last value: ``temperature=(2.0, 4.0)``.

    Returns
    -------
    float64 array, shape (n_rungs,)
        From the first to the last value given, for ``temper(system, {"temperature": ...})``.

    Raises
    ------
    TypeError
        If not exactly one coupling is given.
    UnknownNameError
        If the system has no such coupling.
    ValueError
        If a number is out of range, or `swap_rate` would need more than 512 rungs.

    Notes
    -----
    Temperatures are spaced in beta to begin with, in which the action is linear.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> system = Ising(lattices.build("square", (6, 6)), temperature=2.3)
    >>> rungs = space_ladder(system, temperature=(1.5, 4.0), n_rungs=5, seed=1)
    >>> float(rungs[0]), float(rungs[-1]), len(rungs)
    (1.5, 4.0, 5)
    """
    rungs, _ = find_rungs(
        system,
        n_rungs,
        swap_rate,
        seed,
        coupling,
        n_pilots=n_pilots,
        algorithm=algorithm,
        n_chains=n_chains,
        n_sweeps=n_sweeps,
        n_threads=n_threads,
        options=options,
    )
    return rungs


def find_rungs(
    system,
    n_rungs: int | None,
    swap_rate: float,
    seed: int | None,
    coupling: Mapping,
    *,
    n_pilots: int = 3,
    placing: Callable[..., np.ndarray] | None = None,
    **pilot,
) -> tuple[np.ndarray, tuple[int, int]]:
    """As `space_ladder`, with the energy and gradient calls that the pilots took.

    Parameters
    ----------
    coupling : mapping
        The coupling and its two ends.
    placing : callable, optional
        What puts the rungs after the last pilot, from its draws: ``placing(ladder, places, coefficients_at,
        length, n_rungs)`` to places, all from 0 to 1. ``coefficients_at`` maps places to coefficients of the
        action, `length` is the step that `swap_rate` takes.
    **pilot
        Keywords of `edgphys.mcmc.temper` for the pilot runs.
    """
    name, ends = _check_coupling(system, coupling)
    n_pilots = _checks.count(n_pilots, "n_pilots", 1)
    if n_rungs is not None:
        n_rungs = _checks.count(n_rungs, "n_rungs", 2)
        at_most(n_rungs, "n_rungs")
    swap_rate = _checks.number(swap_rate, "swap_rate", above=0.0, below=1.0)
    target = 2.0 * float(scipy.special.erfcinv(swap_rate))
    children = np.random.SeedSequence(_checks.seed(seed)).spawn(n_pilots)
    place = np.linspace(0.0, 1.0, max(_FIRST_RUNGS, n_rungs or 0))
    calls = np.zeros(2, np.int64)
    for number, child in enumerate(children):
        pilot_seed = int(child.generate_state(1, np.uint64)[0] >> np.uint64(1))
        samples = temper(system, {name: _values(name, ends, place)}, seed=pilot_seed, **pilot)
        calls += [samples.attrs["n_energy_calls"], samples.attrs["n_gradient_calls"]]
        if placing is not None and number == n_pilots - 1:

            def coefficients_at(places: np.ndarray) -> np.ndarray:
                values = _values(name, ends, places).tolist()
                return np.array([system.replace(**{name: value}).action_coefficients for value in values])

            place = placing(samples, place, coefficients_at, target, n_rungs)
            break
        lengths = swap_lengths(samples, measured=number > 0)
        place = _respace(place, lengths, n_rungs or _number(lengths, target))
    return _values(name, ends, place), (int(calls[0]), int(calls[1]))


def swap_lengths(ladder: xr.Dataset, measured: bool = True) -> np.ndarray:
    """Distance of each pair of neighbouring rungs, in units in which erfc(l/2) is their acceptance.

    Parameters
    ----------
    ladder : Dataset
        Of kind "ladder", from a run with swaps if `measured`.
    measured : bool
        From the measured acceptances where they are not too small, else from the means of X.

    Returns
    -------
    float64 array, shape (n_rungs - 1,), positive

    Raises
    ------
    ValueError
        If means or coefficients of the action are beyond float64.
    """
    with np.errstate(all="ignore"):
        means = ladder["action_terms"].mean(["chain", "draw"]).values
        squares = -(np.diff(ladder["action_coefficients"].values, axis=0) * np.diff(means, axis=0)).sum(1)
    if not np.isfinite(squares).all():
        raise ValueError("actions of all rungs must be finite, got couplings whose actions leave float64")
    lengths = np.sqrt(np.maximum(squares, 1e-12))
    if measured:
        rates = ladder["swap_rate"].mean("chain").values
        near = rates > _LEAST_RATE
        lengths[near] = 2.0 * scipy.special.erfcinv(np.minimum(rates[near], 1.0 - 1e-9))
    return lengths


def _check_coupling(system, coupling: Mapping) -> tuple[str, tuple[float, float]]:
    if len(coupling) != 1:
        raise TypeError(
            f"one coupling with its two ends must be given, such as temperature=(2.0, 4.0), "
            f"got {', '.join(coupling) or 'none'}"
        )
    ((name, ends),) = coupling.items()
    if name not in system.parameters:
        known = f"one of {', '.join(system.parameters)} for {system.name}"
        raise _checks.wrong(UnknownNameError, "coupling", known, name)
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise _checks.wrong(ArgumentTypeError, name, "a pair of values", ends)
    above = 0.0 if name == "temperature" else None
    first, last = (_checks.number(value, name, above=above) for value in ends)
    if first == last:
        raise _checks.wrong(ArgumentValueError, name, "two different values", ends)
    return name, (first, last)


def _values(name: str, ends: tuple[float, float], place: np.ndarray) -> np.ndarray:
    """Values at places 0 .. 1 of the line; the ends to the last bit."""
    first, last = ends
    if name == "temperature":
        values = 1.0 / (1.0 / first + place * (1.0 / last - 1.0 / first))
    else:
        values = first + place * (last - first)
    values[0], values[-1] = first, last
    return values


def _number(lengths: np.ndarray, target: float) -> int:
    n_rungs = 1 + max(1, math.ceil(lengths.sum() / target - 1e-9))
    if n_rungs > _MOST_RUNGS:
        raise ValueError(
            f"swap_rate must allow at most {_MOST_RUNGS} rungs, got a ladder of {n_rungs:.6g}; "
            "take a shorter one, or give n_rungs"
        )
    return n_rungs


def _respace(place: np.ndarray, lengths: np.ndarray, n_rungs: int) -> np.ndarray:
    """Places of rungs that cut the length of the ladder into equal parts."""
    # A part of no length would make the inverse steep; a thousandth of the mean is none to speak of.
    lengths = np.maximum(lengths, 1e-3 * lengths.mean())
    run = np.concatenate([[0.0], np.cumsum(lengths)])
    spaced = scipy.interpolate.PchipInterpolator(run / run[-1], place)(np.linspace(0.0, 1.0, n_rungs))
    spaced[0], spaced[-1] = 0.0, 1.0
    return spaced
