# SPDX-License-Identifier: MIT
"""Curves of a sampler with conditions: weighted draws at some couplings, pooled for all, see `EDG.curve`.

Nodes are spread over the range of the values as the networks see it. All have equally many draws, each node a
seed of its own. The mathematics is in `edgphys.estimators.curves`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgphys import _checks
from edgphys._progress import ProgressBar
from edgphys.edg.core.conditions import Conditions
from edgphys.errors import ArgumentValueError
from edgphys.estimators.curves.curve_dataset import curve_dataset
from edgphys.estimators.curves.curve_estimates import curve_values
from edgphys.estimators.curves.measured import Measured
from edgphys.estimators.curves.nodes import check_nodes
from edgphys.estimators.curves.pooled import LEAST_DRAWS, Pool
from edgphys.estimators.draws import log_weights_of
from edgphys.estimators.weights.weighted_estimates import unseen_share
from edgphys.systems.base import AbstractSystem
from edgphys.systems.provenance import sample_attrs

if TYPE_CHECKING:
    from edgphys.edg.sampler import EDG

__all__ = ["draw_curve"]


@dataclass(frozen=True)
class _Nodes:
    """Draws at couplings of one name, equally many at each.

    Attributes
    ----------
    couplings : array, shape (n_nodes,)
    systems : list of AbstractSystem
    samples : list of Dataset
        With ``configurations``.
    """

    couplings: NDArray[np.float64]
    systems: list[AbstractSystem]
    samples: list[xr.Dataset]

    @property
    def log_weights(self) -> NDArray[np.float64]:
        """Shape (n_nodes, n)."""
        return np.array([log_weights_of(one) for one in self.samples])

    @property
    def configurations(self) -> NDArray:
        """Node after node, flat, shape (n_nodes n, n_variables)."""
        parts = [one["configurations"].values.reshape(one.sizes["draw"], -1) for one in self.samples]
        return np.concatenate(parts)

    @property
    def scale(self) -> NDArray[np.float64]:
        """What derivatives are taken to: beta where it differs, else the coupling."""
        betas = np.array([system.beta for system in self.systems])
        return betas if np.ptp(betas) > 0.0 else self.couplings

    def settings(self) -> dict[str, Any]:
        """Of all calls together."""
        each = [json.loads(one.attrs["settings"]) for one in self.samples]
        views = [one.get("n_views", 1) for one in each]
        together = {"n_samples": sum(one["n_samples"] for one in each), "n_nodes": len(each)}
        return each[0] | together | {"n_views": views[0] if len(set(views)) == 1 else views}

    @property
    def unseen(self) -> dict[str, float]:
        """Of all that was sent back, less those that lie above all n draws of their node by chance."""
        names = ("n_sent_back", "n_unseen")
        sums = {name: sum(int(one.attrs.get(name, 0)) for one in self.samples) for name in names}
        found = unseen_share(xr.Dataset(attrs=sums))
        by_chance = 1.0 / (self.samples[0].sizes["draw"] + 1)
        return found and found | {"unseen_share": max(0.0, found["unseen_share"] - by_chance)}


def draw_curve(
    edg: EDG,
    values: Any,
    n_samples: int,
    seed: int,
    *,
    n_nodes: int,
    options: Mapping[str, Any],
    progress: bool | None,
) -> xr.Dataset:
    """Draws at the nodes, and from them the curve; see `EDG.curve`.

    Parameters
    ----------
    edg : EDG
        With conditions.
    options : mapping
        Of `EDG.sample`.
    """
    begin = time.perf_counter()
    coupling, values = _values(edg, values)
    seed, n_nodes = _checks.seed(seed), _checks.count(n_nodes, "n_nodes", 1)
    for end in (values[0], values[-1]):
        edg.at(**{coupling: end})
    couplings = _nodes(coupling, values, n_nodes)
    n = _checks.count(n_samples, "n_samples", LEAST_DRAWS * len(couplings)) // len(couplings)
    nodes = _draw(edg, coupling, couplings, n, seed, options, progress)
    measured = Measured(nodes.configurations, nodes.systems)
    at_nodes = [measured.at(system)["reduced_energy"].values for system in nodes.systems]
    log_weights = nodes.log_weights
    energies = np.array(at_nodes).reshape(len(at_nodes), *log_weights.shape)
    pool = Pool(log_weights, energies)
    check = check_nodes(pool, log_weights, energies, nodes.scale)
    systems = [edg.system.replace(**{coupling: value}) for value in values.tolist()]
    found = curve_values(pool, (measured.at(system) for system in systems), nodes.unseen)
    attrs = _attrs(edg, coupling, systems, nodes, seed, time.perf_counter() - begin)
    return curve_dataset(coupling, values, couplings, found, check, attrs)


def _values(edg: EDG, values: Any) -> tuple[str, NDArray[np.float64]]:
    """Name of the coupling, and its values in ascending order, each once."""
    known = ", ".join(edg.conditions)
    if not known:
        raise ArgumentValueError(
            "values need a sampler with conditions, as EDG(system, conditions={'temperature': (1.8, 3.2)}) "
            "is one, got one without",
            "values",
        )
    named: Any = values if isinstance(values, Mapping) else dict.fromkeys(edg.conditions, values)
    if len(named) != 1 or not set(named) <= set(edg.conditions):
        came = ", ".join(map(str, named)) if isinstance(values, Mapping) else "an array"
        raise ArgumentValueError(f"values must be a dict of one of {known} to an array, got {came}", "values")
    ((coupling, given),) = named.items()
    allowed = f"a non-empty array of finite values of {coupling}"
    array = np.unique(_checks.numbers_of(given, "values", allowed))
    if np.ndim(given) > 1 or not array.size or not np.isfinite(array).all():
        raise _checks.wrong(ArgumentValueError, "values", allowed, given)
    return coupling, array


def _nodes(coupling: str, values: NDArray[np.float64], n_nodes: int) -> NDArray[np.float64]:
    """Couplings from the first to the last value; the middle one if there is to be one node."""
    low, high = float(values[0]), float(values[-1])
    if low == high or n_nodes == 1:
        return values[[len(values) // 2]]
    return np.sort([node[coupling] for node in Conditions({coupling: (low, high)}).nodes(n_nodes)])


def _draw(
    edg: EDG,
    coupling: str,
    couplings: NDArray[np.float64],
    n: int,
    seed: int,
    options: Mapping[str, Any],
    progress: bool | None,
) -> _Nodes:
    words = np.random.SeedSequence(seed, spawn_key=(8,)).generate_state(len(couplings), np.uint64)
    systems, samples = [], []
    with ProgressBar("draws", n * len(couplings), progress) as bar:
        for value, word in zip(couplings.tolist(), words.tolist(), strict=True):
            there = edg.at(**{coupling: value})
            samples.append(there.sample(n, word >> 1, keep=True, progress=False, **options))
            systems.append(there.system)
            bar.advance(n)
    return _Nodes(couplings, systems, samples)


def _attrs(
    edg: EDG, coupling: str, systems: list[AbstractSystem], nodes: _Nodes, seed: int, wall_time: float
) -> dict[str, Any]:
    """Of the systems as far as they agree, and of the run."""
    trained = edg.at(**{coupling: float(nodes.couplings[0])})._trained
    before = {"n_energy_calls": trained.calls.total, "n_gradient_calls": trained.calls.n_gradient_calls}
    spent: Any = {
        name: n + sum(int(one.attrs[name]) - n for one in nodes.samples) for name, n in before.items()
    }
    about: dict[str, Any] = {
        "method": "edg",
        "seed": seed,
        "wall_time": wall_time,
        "settings": nodes.settings(),
    }
    first, last = (sample_attrs(system, **about, **spent) for system in (systems[0], systems[-1]))
    attrs = first | ({"decoder_reason": trained.reason} if trained.reason else {})
    if first["beta"] != last["beta"]:
        del attrs["temperature"], attrs["beta"]
    if "z2_symmetric" in attrs:  # a field that is scanned breaks it
        attrs["z2_symmetric"] = int(all("z2" in system.symmetries for system in systems))
    parameters = systems[0].parameters
    same = {name: value for name, value in parameters.items() if systems[-1].parameters[name] == value}
    same.pop(coupling, None)
    return attrs | {"parameters": json.dumps(same)}
