# SPDX-License-Identifier: MIT
r"""Bennett's acceptance ratio: log Z from the weights of draws of a model and of draws of the target.

For two densities p (the model) and pi (the target) on one space and w = Z pi / p, with n_p independent draws
of p and n_pi draws of pi, log Z is the root of

    n_p < f(log w - c) >_p  =  n_pi < f(c - log w) >_pi ,

    f(u) = 1 / (1 + exp(-u)),     c = log Z - log(n_pi / n_p) :

the choice of least variance among all that compare averages over both sides. Only the region that both reach
counts, so that the error stays useful where the weights of one side alone are carried by a handful of draws.

Draws of a Markov chain count by their effective number, n_pi = n / (2 tau_int), with tau_int that of the
series f(c - log w); all of them are averaged. The error follows from the response of the root,

    delta c = ( delta <f>_p / <f>_p - delta <f>_pi / <f>_pi ) / slope ,

    slope = <f f'>_p / <f>_p + <f f'>_pi / <f>_pi ,     f' = 1 - f ,

by the scatter of the independent draws and the Gamma method for the chains.

The slope is 1 for draws of p and pi, whatever they are, and nothing in the equation asks for it. A large
distance from 1 in standard errors, ``mismatch``, tells weights that belong to no pair of densities: another
space on one side, a chain of another system, or one that is not in equilibrium. Where the overlap is small,
a small one tells little.

References
----------
Bennett, J. Comput. Phys. 22, 245 (1976), eq. (12); Shirts, Bair, Hooker, Pande, Phys. Rev. Lett. 91, 140601
(2003) (maximum likelihood); Hahn, Then, Phys. Rev. E 81, 041117 (2010), arXiv:0911.0273 (the second moment of
f as a measure of convergence).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, log_expit, logsumexp

from edgphys.errors import ArgumentValueError
from edgphys.estimators.chains.autocorrelation import GammaResult, gamma_method

__all__ = ["BennettResult", "bennett", "bennett_root"]

# Effective number and root depend on each other, weakly: any number gives a consistent root.
_N_ROUNDS = 3
# Nats beyond the largest and the smallest weight at which all draws are on one side of the root.
_MARGIN = 50.0
# Equal weights leave a slope that differs from 1 by rounding only.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class BennettResult:
    """log Z, its error, and what says whether to trust them.

    Attributes
    ----------
    log_z, err : float
        With one standard error, autocorrelation of the chains included.
    overlap : float
        int p pi / (p + pi): the chance that a draw of one side might be one of the other, were there equally
        many; 1/2 at best.
    n_forward, n_backward : float
        Effective draws of either side that the averages rest on, (sum f)^2 / sum f^2, of chains by 2 tau_int.
    tau_int : float
        Of f along the chains, in draws.
    mismatch : float
        (slope - 1) in its standard errors.
    closed : bool
        Whether the chains are long enough for tau_int.
    err_with : float
        Of log Z and the mean of `beside` together, NaN without it.
    """

    log_z: float
    err: float
    overlap: float
    n_forward: float
    n_backward: float
    tau_int: float
    mismatch: float
    closed: bool
    err_with: float = math.nan


def bennett(
    forward: NDArray[np.float64], backward: NDArray[np.float64], beside: NDArray[np.float64] | None = None
) -> BennettResult:
    """log Z from log w of draws from both sides.

    Parameters
    ----------
    forward : float64 array, shape (n_draws,)
        log w of independent draws of the model; -inf where the target has no weight.
    backward : float64 array, shape (n_chains, n_draws)
        log w of draws of the target, at least 16 per chain; inf where the model has no weight.
    beside : float64 array, shape (n_chains, n_draws), optional
        What is averaged over the same draws of the target and added to log Z: the reduced energy,
        for the entropy.

    Raises
    ------
    ArgumentValueError
        If a value is NaN, or a side has no finite one.
    ShortChainError
        If a chain has fewer than 16 draws.

    Examples
    --------
    >>> rng = np.random.default_rng(0)                        # log w ~ N(-2, 4) and N(2, 4): log Z = 0
    >>> result = bennett(rng.normal(-2.0, 2.0, 4000), rng.normal(2.0, 2.0, (4, 1000)))
    >>> abs(result.log_z) < 3 * result.err, 0.01 < result.err < 0.05, round(result.overlap, 1)
    (True, True, 0.2)
    """
    _check(forward, "forward")
    _check(backward, "backward")
    tau_int = 0.5
    for _ in range(_N_ROUNDS - 1):
        _, _, b = _solved(forward, backward, tau_int)
        tau_int = _chain(b.relative).tau_int
    log_z, f, b = _solved(forward, backward, tau_int)
    chain, slope = _chain(b.relative), f.slope + b.slope
    return BennettResult(
        log_z=log_z,
        err=_error(f.relative, chain) / slope,
        overlap=float(expit(forward - log_z).mean() + expit(log_z - backward).mean()) / 2.0,
        n_forward=f.count,
        n_backward=b.count / (2.0 * chain.tau_int),
        tau_int=chain.tau_int,
        mismatch=_mismatch(f, b),
        closed=chain.closed,
        err_with=math.nan
        if beside is None
        else _error(f.relative / slope, _beside(beside, b.relative / slope)),
    )


def _beside(beside: NDArray[np.float64], relative: NDArray[np.float64]) -> GammaResult:
    """Of the side of the chains with an average beside; a window not shorter than that of either."""
    window = max(_chain(each).window for each in (beside, relative))
    return gamma_method(beside - relative, least_window=window)


def _chain(series: NDArray[np.float64]) -> GammaResult:
    """Mean and error of the side of the chains; weights that are all equal are exact, whatever the draws."""
    if np.ptp(series) == 0.0:
        return GammaResult(float(series.flat[0]), 0.0, 0.0, 0.5, 0.0, 0, True)
    return gamma_method(series)


def _check(log_w: NDArray[np.float64], name: str) -> None:
    n_bad = int(np.isnan(log_w).sum())
    if n_bad or not np.isfinite(log_w).any():
        raise ArgumentValueError(
            f"{name} must be log weights, at least one finite, got {n_bad} NaN of {log_w.size}", name
        )


def _solved(
    forward: NDArray[np.float64], backward: NDArray[np.float64], tau_int: float
) -> tuple[float, _Shares, _Shares]:
    """log Z, and f on both sides, for chains of this autocorrelation."""
    log_ratio = math.log(backward.size / (2.0 * tau_int) / forward.size)
    centre = bennett_root(forward, backward, log_ratio)
    return centre + log_ratio, _shares(forward - centre), _shares(centre - backward)


def _log_mean(values: NDArray[np.float64]) -> float:
    return float(logsumexp(values)) - math.log(values.size)


def bennett_root(forward: NDArray[np.float64], backward: NDArray[np.float64], log_ratio: float) -> float:
    """c, of a function that falls from +inf to -inf."""

    def excess(c: float) -> float:
        return _log_mean(log_expit(forward - c)) - _log_mean(log_expit(c - backward)) - log_ratio

    finite = np.concatenate([side[np.isfinite(side)] for side in (forward, backward)])
    margin = _MARGIN + abs(log_ratio)
    return float(brentq(excess, finite.min() - margin, finite.max() + margin, xtol=1e-10))  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class _Shares:
    """f of the draws of one side.

    Attributes
    ----------
    relative : float64 array
        f / <f>.
    rest : float64 array
        f' = 1 - f.
    """

    relative: NDArray[np.float64]
    rest: NDArray[np.float64]

    @property
    def slope(self) -> float:
        """<f f'> / <f>: the part of one side."""
        return float((self.relative * self.rest).mean())

    @property
    def bend(self) -> float:
        """Derivative of the slope with respect to the argument of f."""
        return float((self.relative * self.rest * (2.0 * self.rest - 1.0)).mean()) - self.slope**2

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Whose mean fluctuates as the slope does at a fixed root."""
        return self.relative * (self.rest - self.slope)

    @property
    def count(self) -> float:
        """Kish's effective number of draws."""
        return self.relative.size / float((self.relative**2).mean())


def _shares(argument: NDArray[np.float64]) -> _Shares:
    log_f = log_expit(argument)
    return _Shares(np.exp(log_f - _log_mean(log_f)), expit(-argument))


def _error(forward: NDArray[np.float64], backward: GammaResult) -> float:
    """Of the difference of two means."""
    return math.hypot(float(forward.std(ddof=1)) / math.sqrt(len(forward)), backward.err)


def _mismatch(f: _Shares, b: _Shares) -> float:
    slope = f.slope + b.slope
    by_root = (b.bend - f.bend) / slope
    of_chains = gamma_method(b.deviation - by_root * b.relative)
    err = _error(f.deviation + by_root * f.relative, of_chains)
    return (slope - 1.0) / err if err > _ROUNDING else 0.0
