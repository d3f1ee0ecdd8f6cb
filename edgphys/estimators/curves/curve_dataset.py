# SPDX-License-Identifier: MIT
"""Datasets of kind "curve": estimates over one coupling, with the check at the nodes they come from.

dims                                 variables
(<coupling>,)                        <name>, <name>_err; ess, ess_count, max_weight, pareto_k, reliable
(<coupling>, <coupling>_other)       log_z_covariance, energy_covariance
(<coupling>_node,)                   log_z_node with error and deviation
(<coupling>_between,)                derivative, derivative_average, with errors and deviation
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys import observables
from edgphys.estimators.curves.curve_estimates import CurveValues
from edgphys.estimators.curves.nodes import NodeCheck

__all__ = ["curve_dataset", "curve_warnings"]

_WORDS = {
    "ess": "Kish effective sample size of the pooled weights at this value, as a fraction of all draws",
    "ess_count": "Kish effective sample size of the pooled weights at this value, (sum w)^2 / sum w^2",
    "max_weight": "largest pooled weight at this value as a share of the sum",
    "pareto_k": "tail index of all joint weights, over the mean weight of their node (arXiv:1507.02646)",
    "log_z_node": "log_z from the draws of this node alone",
    "log_z_node_deviation": "log_z_node less log_z by the energies of all draws, over the error of this",
    "derivative": "slope of log_z_node from one node to the next, over {scale}",
    "derivative_average": "-<dU/d{scale}> of all draws, averaged from one node to the next",
    "derivative_deviation": "derivative less derivative_average, over the error of this",
}


def curve_dataset(
    coupling: str,
    values: np.ndarray,
    nodes: np.ndarray,
    found: CurveValues,
    check: NodeCheck,
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """Everything with its definition.

    Parameters
    ----------
    coupling : str
        Its name: that of the dim.
    values, nodes : array
        Where the curve is, and where draws are from.
    found, check
        Results of `curve_values` and of `check_nodes`.
    attrs : mapping
        Of the system without this coupling, and of the run.

    Returns
    -------
    Dataset
        ``warning``: why not to trust some values, empty if all are to be trusted.
    """
    texts = {
        name: text.format(scale="beta" if coupling == "temperature" else coupling)
        for name, text in _WORDS.items()
    }
    variables: dict[str, Any] = {}

    def add(name: str, dims: tuple[str, ...], data: np.ndarray) -> None:
        variables[name] = (
            dims,
            np.asarray(data, dtype=np.float64),
            {"definition": _words(name, texts, attrs)},
        )

    names = [name for name in found.values if f"{name}_err" in found.values]
    for name in observables.ordered(names, attrs):
        add(name, (coupling,), found.values[name])
        add(f"{name}_err", (coupling,), found.values[f"{name}_err"])
    for name in observables.DIAGNOSTICS:
        if name in found.values:
            add(name, (coupling,), found.values[name])
    for name, matrix in found.covariances.items():
        add(f"{name}_covariance", (coupling, f"{coupling}_other"), matrix)
    for name, data in check.at_nodes.items():
        add(name, (f"{coupling}_node",), data)
    for name, data in check.between.items():
        add(name, (f"{coupling}_between",), data)
    coords = {coupling: values, f"{coupling}_other": values, f"{coupling}_node": nodes}
    coords[f"{coupling}_between"] = 0.5 * (nodes[1:] + nodes[:-1])
    definitions = {name: about["definition"] for name, (_, _, about) in variables.items()}
    merged = {
        **attrs,
        "kind": "curve",
        "couplings": json.dumps([coupling]),
        "definitions": json.dumps(json.loads(attrs["definitions"]) | definitions),
        "warning": "; ".join(filter(None, [check.reason, *curve_warnings(coupling, values, found.reasons)])),
    }
    return xr.Dataset(variables, coords, merged)


def _words(name: str, texts: Mapping[str, str], attrs: Mapping[str, Any]) -> str:
    if name.endswith("_err"):
        return f"one standard error of {name.removesuffix('_err')}"
    if name.endswith("_covariance"):
        return f"covariance of {name.removesuffix('_covariance')} at two values, of one and the same draws"
    return texts.get(name) or observables.record(name, attrs).definition


def curve_warnings(coupling: str, values: np.ndarray, reasons: Sequence[Sequence[str]]) -> list[str]:
    """One sentence for all values that are not to be trusted, with the reason of the first."""
    bad = [k for k, each in enumerate(reasons) if each]
    if not bad:
        return []
    where = f"{coupling} {values[bad[0]]:.6g}"
    if len(bad) > 1:
        where += f" to {values[bad[-1]]:.6g} ({len(bad)} of {len(values)} values)"
    return [f"{where}: {'; '.join(reasons[bad[0]])}"]
