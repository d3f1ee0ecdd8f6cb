# SPDX-License-Identifier: MIT
r"""Multistate Bennett acceptance ratio (MBAR): log Z of all rungs of a ladder from all draws at once.

With f_k = -log Z_k, N_k draws from rung k and reduced energies u_k(x) = a_k . X(x),

    exp(-f_k) = sum_n exp(-u_k(x_n)) / D(x_n),     D(x) = sum_l N_l exp(f_l - u_l(x)),

solved by pymbar (protocol "robust") on draws thinned to independence: every ceil(2 tau_int)-th of each rung,
tau_int that of its slowest reduced energy difference to a neighbour.

Error. pymbar's asymptotic variance takes all draws for independent. Configurations that wander over the
ladder make draws of different rungs depend on each other, and thinning leaves some correlation in time. So
``log_z_err`` comes from the influence of each draw instead: with W_k(x) = exp(f_k - u_k(x)) / D(x), the
equations respond to a change of the draws linearly,

    delta f = -H^+ sum_n (N W(x_n) - its mean over the draws of the same rung),   H = diag(N) - N W^T W N,

and the influences of all rungs of one chain, summed in time bins, are a series whose error the Gamma method
gives. ``log_z_err_asymptotic`` is pymbar's.

Assumes that neighbours overlap. ``overlap`` is the element (k, k+1) of the overlap matrix O = W^T W N, the
chance that a draw from k might have come from k + 1; the more rungs are near, the more share it. What is
judged is the same of the two rungs alone, int p q / (p + q). Below 0.03 the attr ``warning`` says so, and as
draws do not know then how little they know, ``log_z_err`` takes up half of what convexity leaves open: -<V>
at the two rungs, V = (a_{k+1} - a_k) . X, are bounds of log Z_{k+1} - log Z_k.

References
----------
Shirts and Chodera, J. Chem. Phys. 129, 124105 (2008), arXiv:0801.1426. Klimovich, Shirts and Mobley, J.
Comput. Aided Mol. Des. 29, 397 (2015) (overlap). Doss and Tan, J. R. Stat. Soc. B 76, 683 (2014) (errors with
Markov chains from the influences).
"""

from __future__ import annotations

import logging
import math
from itertools import pairwise

import numpy as np
import xarray as xr
from scipy.special import expit

from edgphys.errors import ShortChainError
from edgphys.estimators.chains.autocorrelation import MIN_DRAWS, gamma_method
from edgphys.estimators.ladders.entropy import DEFINITIONS, entropy_error, reduced_energies
from edgphys.estimators.ladders.pool import solve
from edgphys.estimators.ladders.quadrature import GAP
from edgphys.estimators.ladders.reading import Ladder, read_ladder, rung_dataset, spread
from edgphys.estimators.quiet import quiet
from edgphys.recording.record import recorded

__all__ = ["mbar"]

MIN_OVERLAP = 0.03  # Klimovich et al., section on overlap matrices

_DEFINITIONS = {
    "log_z": "log of the partition function by MBAR",
    "log_z_err": "one standard error of log_z, with correlations in time and between rungs, and half of what "
    "convexity leaves open where rungs do not overlap",
    "log_z_err_asymptotic": "the same by the asymptotic formula for independent draws; NaN where rungs are "
    "far apart",
    "n_used": "draws used, over all chains, after thinning by 2 tau_int",
    "overlap": "chance that a draw from this rung might be one from the next; NaN at the last",
}


@recorded("estimators.mbar")
def mbar(ladder: xr.Dataset, log_z_reference: float = 0.0, reference: int = 0) -> xr.Dataset:
    """log Z of every rung by MBAR, relative to a rung where it is known.

    Parameters
    ----------
    ladder : Dataset
        ``action_terms`` (rung, chain, draw, term) and ``action_coefficients`` (rung, term), as
        `edgphys.mcmc.temper` gives them.
    log_z_reference : float
        log Z of the rung `reference`.
    reference : int
        A rung; negative numbers count from the end.

    Returns
    -------
    Dataset
        Dim of the rungs: ``log_z``, ``log_z_err``, ``log_z_err_asymptotic``, ``n_used``, ``overlap``,
        ``entropy``, ``entropy_err``. At `reference` the errors of log_z are 0. attrs: ``warning``, empty or
        why not to trust it.

    Raises
    ------
    ValueError
        If the dataset is not as above.
    ShortChainError
        If a chain has fewer than 16 stretches of 2 tau_int.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((3, 4, 1000, 1))    # X ~ N(0, 1) + shift
    >>> a = np.array([[0.0], [0.5], [1.0]])
    >>> terms = x - a[:, None, None]                                     # weight exp(-a X) N(X; 0, 1)
    >>> ladder = xr.Dataset({
    ...     "action_terms": (("rung", "chain", "draw", "term"), terms),
    ...     "action_coefficients": (("rung", "term"), a),
    ... })
    >>> result = mbar(ladder)                                            # log Z = a^2 / 2
    >>> bool(abs(result.log_z[-1] - 0.5) < 3 * result.log_z_err[-1])
    True
    """
    data = read_ladder(ladder, log_z_reference, reference)
    strides = _strides(data)
    used = [terms[:, ::stride] for terms, stride in zip(data.terms, strides, strict=True)]
    counts = np.array([part.shape[0] * part.shape[1] for part in used])
    energies = data.coefficients @ np.concatenate([part.reshape(-1, part.shape[-1]) for part in used]).T
    solution, asymptotic = _solve(energies, counts, data)
    weights = _weights(energies, counts, solution)
    gram = weights @ weights.T
    series = _influences(weights, gram, counts, strides, data)
    errors, reasons = _errors(series, data)
    us = reduced_energies(data)
    of_entropy = [
        entropy_error(u, each * each.size, max(strides)) for u, each in zip(us, series, strict=True)
    ]
    overlap = np.append(np.diagonal(gram * counts, 1), np.nan)
    pairs = _pair_overlaps(energies, counts, solution)
    left_open = _left_open(data, pairs < MIN_OVERLAP)
    low = int(np.argmin(pairs))
    if pairs[low] < MIN_OVERLAP:
        reasons.append(f"overlap of rungs {low} and {low + 1} is {pairs[low]:.2g}, below {MIN_OVERLAP}")
    log_z = data.log_z_reference - (solution - solution[data.reference])
    values = {
        "log_z": log_z,
        "log_z_err": np.hypot(errors, left_open),
        "log_z_err_asymptotic": asymptotic,
        "n_used": counts,
        "overlap": overlap,
        "entropy": log_z + [u.mean() for u in us],
        "entropy_err": np.hypot(of_entropy, left_open),
    }
    notes = {"method": "mbar", "warning": "; ".join(reasons)}
    return rung_dataset(ladder, data, values, _DEFINITIONS | DEFINITIONS, notes)


def _pair_overlaps(energies: np.ndarray, counts: np.ndarray, solution: np.ndarray) -> np.ndarray:
    """int p q / (p + q) of neighbouring rungs, 1/2 at best: other than the matrix, whatever else there is."""
    log_p, ends = solution[:, None] - energies, np.cumsum(counts)
    draws = [slice(end - n, end) for end, n in zip(ends, counts, strict=True)]
    return np.array(
        [
            (expit(b[of_a] - a[of_a]).mean() + expit(a[of_b] - b[of_b]).mean()) / 2.0
            for (a, b), (of_a, of_b) in zip(pairwise(log_p), pairwise(draws), strict=True)
        ]
    )


def _left_open(data: Ladder, gaps: np.ndarray) -> np.ndarray:
    """Half of what convexity leaves open between each rung and the reference, over steps without overlap."""
    half = np.zeros(len(gaps))
    for k in np.flatnonzero(gaps).tolist():
        first, second = (data.terms[end].mean(axis=(0, 1)) @ data.step(k) for end in (k, k + 1))
        half[k] = abs(first - second) / 2
    run = np.concatenate([[0.0], np.cumsum(half)])
    return np.abs(run - run[data.reference])


def _strides(data: Ladder) -> list[int]:
    """2 tau_int of each rung, rounded up."""
    strides = []
    for k in range(data.n_rungs):
        pairs = [pair for pair in (k - 1, k) if 0 <= pair < data.n_rungs - 1]
        times = [gamma_method(data.terms[k] @ data.step(pair)).tau_int for pair in pairs]
        tau_int = float(np.fmax.reduce([0.5, *times]))  # NaN of a rung that does not move
        # tau_int of independent draws scatters around 1/2: no reason to drop every other.
        strides.append(max(1, math.ceil(2.0 * tau_int - 0.25)))
    n_draws, longest = data.terms.shape[2], max(strides)
    if n_draws < MIN_DRAWS * longest:
        raise ShortChainError(
            f"draw must hold at least {MIN_DRAWS} x 2 tau_int = {MIN_DRAWS * longest} draws per chain, "
            f"got {n_draws}",
            tau_int=longest / 2,
        )
    return strides


def _solve(energies: np.ndarray, counts: np.ndarray, data: Ladder) -> tuple[np.ndarray, np.ndarray]:
    """f of all rungs, and the asymptotic error of f_k - f_reference."""
    levels = [logging.getLogger(name) for name in ("pymbar", "pymbar.mbar_solvers", "pymbar.timeseries")]
    guess = _guess(energies, counts, data)
    if guess is None:  # pymbar would iterate for minutes, on what has no asymptotic error
        return solve(energies, counts), np.full(data.n_rungs, np.nan)
    with quiet():
        before = [logger.level for logger in levels]
        state = np.random.get_state()  # noqa: NPY002  (pymbar seeds the global generator)
        try:
            for logger in levels:  # it announces on import that it uses jax
                logger.setLevel(logging.ERROR)
            from pymbar import MBAR

            solver = MBAR(energies, counts, solver_protocol="robust", initial_f_k=guess)
            result = solver.compute_free_energy_differences()
        finally:
            np.random.set_state(state)  # noqa: NPY002
            for logger, level in zip(levels, before, strict=True):
                logger.setLevel(level)
    return np.asarray(solver.f_k), np.asarray(result["dDelta_f"])[data.reference]


def _guess(energies: np.ndarray, counts: np.ndarray, data: Ladder) -> np.ndarray | None:
    """f by the trapezoidal rule, from which few iterations are left; None across a gap."""
    ends = np.cumsum(counts)
    means = np.array([energies[:, end - n : end].mean(1) for end, n in zip(ends, counts, strict=True)])
    firsts = np.array([means[k, k + 1] - means[k, k] for k in range(data.n_rungs - 1)])
    seconds = np.array([means[k + 1, k + 1] - means[k + 1, k] for k in range(data.n_rungs - 1)])
    if (firsts - seconds > GAP).any():
        return None
    return np.concatenate([[0.0], np.cumsum((firsts + seconds) / 2)])


def _weights(energies: np.ndarray, counts: np.ndarray, solution: np.ndarray) -> np.ndarray:
    """W, shape (n_rungs, n_used), each row summing to one at the solution."""
    exponents = solution[:, None] - energies
    top = exponents.max(axis=0)
    weights = np.exp(exponents - top)
    return weights / (counts @ weights)


def _influences(weights, gram, counts, strides, data: Ladder) -> np.ndarray:
    """Of the draws on log Z_k - log Z_reference, summed in time bins: (n_rungs, n_chains, n_bins)."""
    curvature = np.diag(counts.astype(float)) - counts[:, None] * gram * counts
    response = np.linalg.pinv(curvature, hermitian=True) * counts
    response = response - response[data.reference]
    n_chains, n_draws = data.terms.shape[1:3]
    bin_length = max(strides)
    n_bins = n_draws // bin_length
    series = np.zeros((data.n_rungs, n_chains, n_bins))
    first = 0
    for k, stride in enumerate(strides):
        part = weights[:, first : first + counts[k]]
        first += counts[k]
        influence = response @ (part - part.mean(axis=1, keepdims=True))
        influence = influence.reshape(data.n_rungs, n_chains, -1)
        bins = np.minimum(np.arange(influence.shape[2]) * stride // bin_length, n_bins - 1)
        np.add.at(series, (slice(None), slice(None), bins), influence)  # pyright: ignore[reportArgumentType]
    series[data.reference] = 0.0  # without rounding errors
    return series


def _errors(series: np.ndarray, data: Ladder) -> tuple[np.ndarray, list[str]]:
    """Errors of log Z_k - log Z_reference by the influences of the draws."""
    errors, unsettled = np.zeros(data.n_rungs), []
    for k in range(data.n_rungs):
        if k != data.reference:
            err, closed = spread(series[k]) if np.ptp(series[k]) else (0.0, True)  # nothing depends on draws
            errors[k] = err * series[k].size  # of the sum over all bins, not their mean
            if not closed:
                unsettled.append(str(k))
    note = f"no window for the error of log_z at rungs {', '.join(unsettled)}: too few draws"
    return errors, [note] if unsettled else []
