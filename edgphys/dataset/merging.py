# SPDX-License-Identifier: MIT
"""Putting datasets together: samples along their draws or chains, estimates and scans on one grid.

Only what is about the same physics is joined, and no draw or grid point is counted twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.agreement import common, summed
from edgphys.dataset.copies import copy_in
from edgphys.dataset.estimates_as_scans import as_tables
from edgphys.dataset.padding import DRAWN, drawn, padded
from edgphys.dataset.scan_merging import overlay
from edgphys.dataset.schema import GEOMETRY, STATE, is_number, validate
from edgphys.errors import DatasetError
from edgphys.recording.record import recorded

__all__ = ["merge"]


@recorded("merge")
def merge(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put datasets of one kind together, if they are about the same physics.

    Samples are joined along ``draw`` (weighted draws) or ``chain``; chains may be of any lengths, NaN beyond
    the end of the shorter ones (`edgphys.dataset.padding`). Estimates become a scan over ``method`` and over
    the parameters in which they differ; scans are laid over each other on the union of their methods and
    grids, NaN in between. Scans of several sizes have the dim ``extent``; a parameter that one scan holds
    is a point of one that scans it.

    A cell that several scans have, by other seeds, is the average of their results, weighted by the numbers
    of draws (``n_draws``), which are fixed beforehand: unbiased where the results are, as weights 1 / err^2
    are not, whose errors go with the results. Its error is sqrt(sum (n_k err_k)^2) / sum n_k, ``n_runs`` says
    how many there were, ``runs_chi2`` is chi^2 per degree of freedom between them, of the result that they
    agree in least; beyond three sigma the cell is not trusted, with a word in ``warnings``. The attribute
    ``runs`` keeps seeds, settings and cells of every run. Exact results must agree, and count once.

    Parameters
    ----------
    datasets : sequence of Dataset
        At least one, all of schema 1 and of one kind.

    Returns
    -------
    Dataset
        Costs (``wall_time``, calls) are summed, seeds listed; chains of unequal length have the boolean
        coordinate ``drawn`` (chain, draw), whose sum over draws is the length of each.

    Raises
    ------
    ValueError
        If `datasets` is empty.
    DatasetError
        If kinds or attributes that define the physics differ (system, lattice, boundary, parameters,
        definitions), draws or cells of one seed are there twice, or shapes do not fit; the message names it.
    """
    if len(datasets) == 0:
        raise ValueError("datasets must hold at least one dataset, got none")
    for ds in datasets:
        validate(ds)
    kind = common(datasets, "kind")
    if kind not in ("samples", "estimates", "scan"):
        raise DatasetError(f"kind must be samples, estimates or scan to be merged, got {kind}")
    if kind == "samples":
        return _merge_samples(datasets)
    if kind == "estimates":
        return overlay(as_tables(datasets))
    return overlay(list(datasets))


def _merge_samples(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    for name in (*GEOMETRY, *STATE, "parameters", "definitions", "units", "method"):
        common(datasets, name)
    dim = "chain" if "chain" in datasets[0].dims else "draw"
    seeds = [seed for ds in datasets for seed in np.atleast_1d(ds.attrs["seed"]).tolist()]
    if len(set(seeds)) < len(seeds):
        raise DatasetError(
            f"attr seed must differ between samples to be merged, got {seeds}: the same draws twice"
        )
    for ds in datasets[1:]:
        if set(ds.data_vars) != set(datasets[0].data_vars):
            odd = sorted(map(str, set(ds.data_vars) ^ set(datasets[0].data_vars)))
            raise DatasetError(
                f"variables must be the same in all samples, got {', '.join(odd)} only in some"
            )
    if dim == "chain":
        thins = {json.loads(ds.attrs.get("settings", "{}")).get("thin", 1) for ds in datasets}
        if len(thins) > 1:
            raise DatasetError(
                f"attr settings must have one value of thin for all chains, got {sorted(thins)}"
            )
    free = ("chain", "draw") if dim == "chain" else ("draw",)
    sizes = [{str(d): n for d, n in ds.sizes.items() if d not in free} for ds in datasets]
    if any(size != sizes[0] for size in sizes):
        dims = " and ".join(free)
        raise DatasetError(f"dims other than {dims} must have the same length in all samples, got {sizes}")
    bare = [ds.drop_vars([dim], errors="ignore") for ds in datasets]
    longest = max(ds.sizes["draw"] for ds in bare)
    if dim == "chain" and any(DRAWN in ds.coords or ds.sizes["draw"] < longest for ds in bare):
        bare = [padded(ds, longest) for ds in bare]
    merged = xr.concat(
        bare, dim=dim, data_vars="minimal", coords="minimal", compat="override", join="override"
    )
    _refuse_copies(merged, dim)
    merged.attrs = dict(datasets[0].attrs) | summed(datasets)
    merged.attrs["seed"] = seeds if len(seeds) > 1 else seeds[0]
    if dim == "chain" and "settings" in merged.attrs:
        merged.attrs["settings"] = json.dumps(_settings(datasets))
    return merged


def _settings(runs: Sequence[xr.Dataset]) -> dict[str, Any]:
    """Of all runs of chains: lists where they differ, means over the draws of numbers that were measured."""
    each = [json.loads(ds.attrs.get("settings", "{}")) for ds in runs]
    measured = [one.pop("measured", {}) for one in each]
    sizes = [drawn(ds, ("chain", "draw")).sum() for ds in runs]
    settings = {name: _listed(values) for name, values in _by_name(each)}
    means = {name: _averaged(values, sizes) for name, values in _by_name(measured)}
    return settings | ({"measured": means} if means else {})


def _by_name(notes: list[dict[str, Any]]) -> list[tuple[str, list]]:
    names = dict.fromkeys(name for note in notes for name in note)
    return [(name, [note.get(name) for note in notes]) for name in names]


def _averaged(values: list, sizes: list) -> Any:
    """Mean over the runs that have a number."""
    known = [(value, size) for value, size in zip(values, sizes, strict=True) if value is not None]
    if not all(is_number(value) for value, _ in known):
        return _listed(values)
    numbers, weights = zip(*known, strict=True)
    return float(np.average(numbers, weights=weights))


def _listed(values: list) -> Any:
    return values[0] if all(value == values[0] for value in values) else values


def _refuse_copies(merged: xr.Dataset, dim: str) -> None:
    """Other seeds are no proof of other draws."""
    found = copy_in(merged, ("chain", "draw") if dim == "chain" else ("draw",))
    if found is not None:
        one, again = (place[0 if dim == "chain" else 1] for place in found)
        raise DatasetError(
            f"datasets must not hold the same draws twice, got {dim} {again} of all as a copy of {dim} {one}"
        )
