# SPDX-License-Identifier: MIT
"""Markov chains for arviz, which reads groups of variables where a dataset of edgphys has one."""

from __future__ import annotations

from typing import Any

import xarray as xr

from edgphys.dataset.padding import DRAWN, drawn
from edgphys.dataset.schema import validate
from edgphys.errors import DatasetError

__all__ = ["to_inference_data"]


def to_inference_data(samples: xr.Dataset) -> Any:
    """Samples of Markov chains as arviz takes them.

    Parameters
    ----------
    samples : Dataset
        Of kind "samples" with the dims (chain, draw), as `edgphys.mcmc.run` gives them, or as
        `edgphys.dataset.read` reads them: ``arviz.from_netcdf`` finds no group in a file of edgphys.

    Returns
    -------
    arviz.InferenceData
        With the group ``posterior``: all variables, the dims chain and draw first. A DataTree where arviz has
        no such class any more.

    Raises
    ------
    TypeError
        If `samples` is no Dataset.
    DatasetError
        If it is of another kind, or of weighted draws: arviz would drop the weights; or if chains are of
        unequal length, which arviz has no place for.
    ImportError
        Without arviz.

    Examples
    --------
    >>> import edgphys as ep
    >>> data = to_inference_data(ep.mcmc.run(ep.DoubleWell(), "hmc", n_chains=2, n_sweeps=20, seed=0))
    >>> data["posterior"]["energy"].shape
    (2, 20)
    """
    validate(samples)
    kind = samples.attrs["kind"]
    if kind == "ladder":
        raise DatasetError(
            "samples must be of one rung, got a ladder; edgphys.mcmc.rung gives one", "samples"
        )
    if kind != "samples":
        raise DatasetError(f"samples must be of kind 'samples', got {kind!r}", "samples")
    if "chain" not in samples.dims:
        words = "samples must be Markov chains, got weighted draws, whose weights arviz would drop"
        raise DatasetError(f"{words}; edgphys.to_arviz resamples them", "samples")
    there = drawn(samples, ("chain", "draw"))
    if not there.all():
        n_draws = there.sum(axis=1)
        words = f"samples must be chains of equal length, got {min(n_draws)} to {max(n_draws)} draws"
        raise DatasetError(f"{words}; samples.isel(draw=slice({min(n_draws)})) cuts them", "samples")
    samples = samples.drop_vars(DRAWN, errors="ignore")
    posterior = samples.transpose("chain", "draw", ...)
    try:
        from arviz import InferenceData  # pyright: ignore[reportAttributeAccessIssue]
    except ImportError:  # arviz 1
        return xr.DataTree.from_dict({"posterior": posterior})
    return InferenceData(posterior=posterior)
