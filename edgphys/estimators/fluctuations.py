# SPDX-License-Identifier: MIT
r"""Whether draws have seen an observable fluctuate, and how many of them its error bar rests on.

An error bar is made of the spread that was seen. What draws have not seen it cannot tell:

    no fluctuation   the observable is the same in every draw (of chains: throughout each chain, whether or
                     not they agree): its error is not zero but unknown, NaN
    few carriers     n_c = (sum d^2)^2 / sum d^4, with d the influence of a draw on the mean, is the number of
                     draws that carry the variance: k if k draws deviate alike and all others do not; n_eff
                     over the kurtosis in general

Rule of three. A state of probability p is in none of n independent draws with the chance (1 - p)^n: none seen
leaves all p below 3/n possible at 95 %, and p has the posterior mean and standard deviation 1/n. With k draws
that deviate by d, the mean has the error sqrt(k) d / n, and a state as far off that was not seen may shift it
by 3 d / n: more than the error bar while k < 9. Below ten carriers no error bar is trusted.

References
----------
J. A. Hanley and A. Lippman-Hand, JAMA 249 (1983) 1743, doi:10.1001/jama.1983.03330370053031 (rule of three).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from edgphys.dataset.padding import is_padded
from edgphys.formulas import SHIFTED

__all__ = [
    "MIN_CARRIERS",
    "are_alike",
    "carriers",
    "fluctuation_reasons",
    "is_still",
    "of_own_rank",
    "same_rank",
]

MIN_CARRIERS = 10.0
_ROUNDING = 1e-12  # of an observable that is a sum over sites, relative to its size
# These rank the draws as |m| does (m^2, m^4): what |m| says of the draws, they say.
_SAME_RANKS = ("magnetization_2", "magnetization_4")
_STAGGERED = "staggered_"


def is_still(values: np.ndarray) -> bool:
    """Whether an observable is constant, up to rounding, along the last axis.

    Parameters
    ----------
    values : array, shape (n_draws,) or (n_chains, n_draws)
        NaN beyond the end of a shorter chain.

    Returns
    -------
    bool
        Of chains: whether it is constant in every chain, be they alike or not.

    Examples
    --------
    >>> is_still(np.array([[1.0, 1.0], [2.0, 2.0]])), is_still(np.array([[1.0, 1.0], [2.0, 3.0]]))
    (True, False)
    """
    if is_padded(values):
        values = np.where(np.isnan(values), values[..., :1], values)
    return bool(np.ptp(values, axis=-1).max() <= _ROUNDING * np.abs(values).max())


def carriers(influences: np.ndarray) -> float:
    """Number of draws that carry the variance: (sum d^2)^2 / sum d^4.

    Parameters
    ----------
    influences : array of any shape
        Deviation of each draw from the mean, times its weight.

    Returns
    -------
    float
        From 1 to the number of draws; of correlated draws to be divided by 2 tau_int. NaN if all are zero.

    Examples
    --------
    >>> round(carriers(np.repeat([0.0, 1.0], [997, 3]) - 0.003), 1)
    3.0
    """
    largest = np.abs(influences).max()
    if not largest > 0.0:
        return float("nan")
    squares = (influences / largest) ** 2
    return float(squares.sum() ** 2 / (squares**2).sum())


def of_own_rank(names: Iterable[str]) -> list[str]:
    """`names` without those of observables that say of the draws what another of them does.

    Examples
    --------
    >>> of_own_rank(["energy", "abs_magnetization", "magnetization_2"])
    ['energy', 'abs_magnetization']
    """
    every = list(names)

    def follows(name: str) -> bool:
        prefix = _STAGGERED if name.startswith(_STAGGERED) else ""
        return name.removeprefix(prefix) in _SAME_RANKS and f"{prefix}abs_magnetization" in every

    return [name for name in every if not follows(name)]


def same_rank(name: str) -> tuple[str, ...]:
    """`name` and the columns that rank draws as it does, so that what it has not seen they have not.

    Examples
    --------
    >>> same_rank("energy"), same_rank("abs_magnetization")[1:3]
    (('energy', 'energy_shifted_2'), ('magnetization_2', 'magnetization_4'))
    """
    prefix = _STAGGERED if name.startswith(_STAGGERED) else ""
    followers = {"energy": (SHIFTED,), "abs_magnetization": (*_SAME_RANKS, "correlator_zero")}
    return (name, *(prefix + other for other in followers.get(name.removeprefix(prefix), ())))


def are_alike(values: np.ndarray) -> bool:
    """Whether all of the draws but fewer than ten, and more than half, have the same value, up to rounding.

    Examples
    --------
    >>> are_alike(np.repeat([0.0, 1.0], [97, 3])), are_alike(np.arange(15.0))
    (True, False)
    """
    differ = np.abs(values - np.median(values)) > _ROUNDING * np.abs(values).max()
    return int(differ.sum()) < min(MIN_CARRIERS, differ.size / 2)


def fluctuation_reasons(still: Collection[str], counts: Mapping[str, float]) -> list[str]:
    """Why not to trust the errors; none if the list is empty.

    Parameters
    ----------
    still : collection of str
        Observables without fluctuation that are not constant by nature.
    counts : mapping of str to float
        `carriers` of the others.

    Examples
    --------
    >>> fluctuation_reasons(["energy"], {"phi2": 3.04, "abs_magnetization": 500.0})
    ['no fluctuation seen in energy', 'the error of phi2 rests on fewer than 10 draws (3)']
    """
    reasons = [f"no fluctuation seen in {', '.join(still)}"] if still else []
    few = {name: count for name, count in counts.items() if count < MIN_CARRIERS}
    if few:
        numbers = ", ".join(f"{count:.2g}" for count in few.values())
        reasons.append(
            f"the error of {', '.join(few)} rests on fewer than {MIN_CARRIERS:.0f} draws ({numbers})"
        )
    return reasons
