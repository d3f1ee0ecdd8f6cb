# SPDX-License-Identifier: MIT
"""Draws for arviz, whose plots and diagnostics take equally weighted draws: weighted ones are resampled.

Systematic resampling: with one uniform number u in [0, 1), draw i is taken as often as a whole number lies in
[n W_{i-1} - u, n W_i - u), W the running sum of normalised weights. So it is there n w_i times, rounded up or
down, n w_i on average: no resampling of independent copies has less noise. Copies stand side by side, so that
arviz counts draws that are there many times as a chain that stands still.

References
----------
Kitagawa, J. Comput. Graph. Stat. 5, 1 (1996), section 2.3 (stratified and systematic resampling).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgphys import _checks
from edgphys.dataset.inference_data import to_inference_data
from edgphys.dataset.schema import validate
from edgphys.estimators.draws import weights_of

__all__ = ["resampled_indices", "to_arviz"]


def to_arviz(samples: xr.Dataset, *, seed: int = 0, n_draws: int | None = None) -> Any:
    """Chains, or weighted draws resampled by their weights, as arviz takes them.

    Parameters
    ----------
    samples : Dataset
        Of kind "samples": Markov chains (chain, draw), as `edgphys.mcmc.run` gives them, or weighted draws
        (draw,) of `edgphys.EDG.sample` or `edgphys.mcmc.anneal`.
    seed : int
        Of the resampling; chains need none.
    n_draws : int, optional
        Draws to take of weighted ones, at least 1; as many as there are by default.

    Returns
    -------
    arviz.InferenceData
        With the group ``posterior``, dims chain and draw first. A DataTree where arviz has no such class any
        more. Weighted draws are one chain without ``log_weight_joint``; its attributes say how many of the
        draws are left, ``n_distinct``, of ``n_weighted``, and ``resample_seed``. Their errors, and log Z, are
        those of `edgphys.estimate`: arviz sees copies only.

    Raises
    ------
    TypeError, DatasetError
        If `samples` is no dataset of samples.
    NotExactError, ValueError
        If the weights are noisy, or not finite.

    Examples
    --------
    >>> import edgphys as ep, lattices
    >>> system = ep.Ising(lattices.build("chain", (6,)), temperature=2.0)
    >>> data = to_arviz(ep.mcmc.anneal(system, 100, seed=1, n_rungs=5, progress=False), seed=2)
    >>> data["posterior"]["energy"].shape, data["posterior"].attrs["n_distinct"] <= 100
    ((1, 100), True)
    """
    validate(samples)
    if samples.attrs["kind"] != "samples" or "chain" in samples.dims:
        return to_inference_data(samples)
    weights, seed = weights_of(samples), _checks.seed(seed)
    assert weights is not None
    n = len(weights) if n_draws is None else _checks.count(n_draws, "n_draws", 1)
    taken = resampled_indices(weights, n, np.random.default_rng(seed))
    chain = samples.drop_vars("log_weight_joint").isel(draw=taken).expand_dims("chain")
    told = {"n_distinct": len(np.unique(taken)), "n_weighted": len(weights), "resample_seed": seed}
    chain.attrs = {**samples.attrs, **told}
    return to_inference_data(chain.drop_vars("draw", errors="ignore"))


def resampled_indices(weights: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which draws are taken, in rising order, shape (n,): draw i n w_i / sum w times, rounded up or down.

    Examples
    --------
    >>> resampled_indices(np.array([1.0, 2.0, 0.0, 1.0]), 8, np.random.default_rng(0)).tolist()
    [0, 0, 1, 1, 1, 1, 3, 3]
    """
    ends = np.cumsum(weights) / weights.sum()
    places = (rng.random() + np.arange(n)) / n
    # The last of positive weight ends at 1, whatever the rounding of the sums.
    last = int(np.flatnonzero(weights)[-1])
    return np.minimum(np.searchsorted(ends, places, side="right"), last)
