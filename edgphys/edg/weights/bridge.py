# SPDX-License-Identifier: MIT
r"""The bridge: log Z from draws of the model and from reference configurations, on the space that both share.

Draws of the model carry the weights of `edgphys.edg.weights.weighted_draws`, configurations of a Markov chain
those of `edgphys.edg.weights.upper_bound`. Both are the ratio w of the same two densities,

    forward    (x, v_1, .., v_K) ~ p,       one view made x, the others come from the encoder;
    backward   (x, v_1, .., v_K) ~ pi / Z,  x from the chain, all views from the encoder;
    w = Z (pi / Z) / p ,

as long as model, shares of labels, steps of the path and number of views are the same on both sides: all are
chosen once, before either. Bennett's acceptance ratio (`edgphys.estimators.weights.bennett`) then gives
log Z, with an error that stays useful where the effective sample size of the draws is a thousandth, and
without losing phases that the model lost, because the reference has them.

Observables are those of the reference. It must be in equilibrium, and no part of what the model was trained
on: a model that knows its configurations finds them likelier than others.

References
----------
Bennett, J. Comput. Phys. 22, 245 (1976); Shirts, Bair, Hooker, Pande, Phys. Rev. Lett. 91, 140601 (2003);
Grosse, Ghahramani, Adams, arXiv:1511.02543 (bounds from both directions).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from edgphys import _checks
from edgphys.edg.call_options import SampleOptions
from edgphys.edg.reference import reference_configurations
from edgphys.edg.targets.base import Calls
from edgphys.edg.trained import TrainedModel
from edgphys.edg.weights.label_shares import with_best_shares
from edgphys.edg.weights.number_of_views import number_of_views
from edgphys.edg.weights.upper_bound import upper_bound
from edgphys.edg.weights.weighted_draws import draw_samples
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.estimate import estimate, with_log_z
from edgphys.estimators.weights.bennett import BennettResult, bennett
from edgphys.estimators.weights.weighted_estimates import weight_diagnostics
from edgphys.systems.provenance import sample_attrs

__all__ = ["bridge", "estimates_of"]

# Effective draws in the overlap, below which error bars mean little; standard errors that are no chance.
_LEAST_DRAWS, _LARGEST_MISMATCH = 50.0, 5.0
_OF_DRAWS = ("elbo", "elbo_err", "ess", "ess_count", "max_weight", "pareto_k")


def bridge(
    trained: TrainedModel,
    reference: xr.Dataset,
    n_samples: int,
    seed: int,
    options: SampleOptions,
    *,
    progress: bool | None,
    checkpoint: str | Path | None = None,
) -> xr.Dataset:
    """Estimates from both sides, see `EDG.bridge`."""
    begin = time.perf_counter()
    n_samples, seed = _checks.count(n_samples, "n_samples", 2), _checks.seed(seed)
    configurations = reference_configurations(reference, trained.system)
    observables = _observables(reference, configurations, trained)
    n_steps, before = options.n_path_steps or trained.options.n_path_steps, trained.model.target.calls
    model, shares, n_pilot = with_best_shares(
        trained.model, options, n_samples, n_steps, seed, annealed=False
    )
    views = number_of_views(model, options, n_samples, n_steps, seed, annealed=False)
    pilots = model.target.calls_since(before) + Calls(views.n_more_energies(0) + n_pilot)
    # From here on nothing is left open, and nothing is annealed: the other side has no such rungs.
    both, options = replace(trained, model=model), replace(options, n_views=views.n, n_anneal=0)
    of_draws = {"keep": False, "progress": progress, "with_chains": False, "checkpoint": checkpoint}
    forward = draw_samples(both, n_samples, seed, options, **of_draws)
    earlier = {name: forward.attrs[name] for name in ("earlier_time",) if name in forward.attrs}
    backward = upper_bound(both, reference, _seed_of_reference(seed), options)
    sides = (forward, backward, reference)
    n_calls = [
        sum(int(side.attrs.get(name, 0)) for side in sides) + more
        for name, more in (
            ("n_energy_calls", pilots.total - trained.calls.total),
            ("n_gradient_calls", pilots.n_gradient_calls - trained.calls.n_gradient_calls),
        )
    ]
    settings = json.loads(forward.attrs["settings"]) | views.settings | shares
    settings |= {"n_reference": int(backward["log_weight_reverse"].size)}
    observables.attrs = sample_attrs(
        trained.system,
        method="bridge",
        seed=seed,
        wall_time=time.perf_counter() - begin + sum(earlier.values()),
        settings=settings | {"chains": str(reference.attrs.get("method", ""))},
        n_energy_calls=n_calls[0],
        n_gradient_calls=n_calls[1],
    )
    observables.attrs |= earlier
    if trained.reason:
        observables.attrs["decoder_reason"] = trained.reason
    return estimates_of(forward, backward, observables)


def _seed_of_reference(seed: int) -> int:
    """Of the way back of the reference; the draws have that of the call."""
    return int(np.random.SeedSequence(seed, spawn_key=(8,)).generate_state(1, np.uint64)[0]) >> 1


def _observables(reference: xr.Dataset, configurations: NDArray, trained: TrainedModel) -> xr.Dataset:
    """Those of the chains; measured where the reference holds configurations alone."""
    if "energy" in reference:
        return reference.drop_vars("configurations")
    system, shape = trained.system, configurations.shape[:2]
    flat = torch.from_numpy(configurations.reshape(-1, *system.event_shape).astype(np.float64))
    columns = {
        name: (("chain", "draw"), values.reshape(shape)) for name, values in system.measure(flat).items()
    }
    return xr.Dataset(columns)


def estimates_of(forward: xr.Dataset, backward: xr.Dataset, observables: xr.Dataset) -> xr.Dataset:
    """log Z of both sides, the bounds that hold it, and the estimates of the chains.

    Parameters
    ----------
    forward, backward : Dataset
        Weights, as `EDG.sample` and `EDG.upper_bound` give them.
    observables : Dataset
        Of the reference, dims (chain, draw), with the attrs of the result.

    Raises
    ------
    NotExactError
        If the weights of the draws are noisy.
    ShortChainError
        If the chains have fewer than 16 draws.
    """
    table, of_draws = estimate(observables), estimate(forward)
    log_w = backward["log_weight_reverse"].transpose("chain", "draw").to_numpy()
    energy = observables["energy"].transpose("chain", "draw").to_numpy() / observables.attrs["temperature"]
    result = bennett(forward["log_weight_joint"].to_numpy(), log_w, energy)
    values = {"log_z": result.log_z, "log_z_err": result.err, "entropy_err": result.err_with}
    values |= {name: float(of_draws[name]) for name in _OF_DRAWS}
    values |= _bound(log_w, values) | {
        "bridge_overlap": result.overlap,
        "n_bridge": min(result.n_forward, result.n_backward),
        "ess_reverse": weight_diagnostics(-log_w.ravel())["ess"],
        "mismatch": result.mismatch,
    }
    reasons = _reasons(result)
    return with_log_z(table, values | {"reliable": float(not reasons)}, "; ".join(reasons))


def _bound(log_w: NDArray[np.float64], values: Mapping[str, float]) -> dict[str, float]:
    """The upper bound and the gap to the lower one; infinite where the model cannot make a configuration."""
    upper, err = math.inf, math.inf
    if np.isfinite(log_w).all():
        mean = gamma_method(log_w)
        upper, err = mean.mean, mean.err
    gap_err = math.hypot(err, values["elbo_err"])
    return {
        "log_z_upper": upper,
        "log_z_upper_err": err,
        "gap": upper - values["elbo"],
        "gap_err": gap_err,
    }


def _reasons(result: BennettResult) -> list[str]:
    """Why log Z is not to be trusted; none if the list is empty."""
    reasons: list[Any] = []
    for side, count in (("model", result.n_forward), ("reference", result.n_backward)):
        if count < _LEAST_DRAWS:
            reasons.append(
                f"{count:.3g} effective draws of the {side} overlap with the other side, fewer than "
                f"{_LEAST_DRAWS:.0f}"
            )
    if not result.closed:
        reasons.append("no window for tau_int of the weights of the reference: its chains are too short")
    if abs(result.mismatch) > _LARGEST_MISMATCH:
        reasons.append(
            f"weights differ by {abs(result.mismatch):.1f} standard errors from those of one pair of "
            "densities: the reference is not in equilibrium, or not of this system"
        )
    return reasons
