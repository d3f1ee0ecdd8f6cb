# SPDX-License-Identifier: MIT
"""The upper bound on log Z: reference samples sent backwards through the encoder.

For (x, z) distributed as pi(x) p_E(z | x) the log weight log w(x, z) has the mean

    E[log w] = log Z + KL( pi p_E || p_D )  >=  log Z ,

while for draws of the decoder E[log w] <= log Z: the two sandwich log Z. A mode that the decoder dropped has
a small log p_D and shows up here, and nowhere in the effective sample size of the decoder's own draws.

References
----------
Grosse, Ghahramani, Adams, arXiv:1511.02543 (bounds from both directions).
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from edgphys import _checks
from edgphys.edg.call_options import SampleOptions
from edgphys.edg.trained import TrainedModel
from edgphys.edg.weights.number_of_views import number_without_pilot
from edgphys.edg.weights.views import harmonic_mean, redraw
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.provenance import sample_attrs

__all__ = ["upper_bound"]

_BATCH = 1000


def upper_bound(
    trained: TrainedModel, reference: xr.Dataset, seed: int, options: SampleOptions
) -> xr.Dataset:
    """Log weights of reference samples, see `EDG.upper_bound`."""
    model, begin = trained.model, time.perf_counter()
    n_steps = options.n_path_steps or trained.options.n_path_steps
    values, n_views = _configurations(reference, trained.system), number_without_pilot(options, model)
    generator = torch.Generator(device=model.device).manual_seed(_checks.seed(seed))
    parts, before = [], model.target.calls
    flat = values.reshape(values.shape[0] * values.shape[1], -1)
    for block in np.array_split(flat, max(1, len(flat) // _BATCH)):
        states = torch.tensor(block, dtype=torch.float32, device=model.device)
        views = redraw(model, states, n_views.n, n_steps, generator)
        parts.append(harmonic_mean(views).cpu())
    log_w = torch.cat(parts).numpy().reshape(values.shape[:2])
    calls = model.target.calls_since(before) + trained.calls
    attrs = sample_attrs(
        trained.system,
        method="edg_upper_bound",
        seed=seed,
        wall_time=time.perf_counter() - begin,
        settings={**trained.settings, "n_path_steps": n_steps, **n_views.settings},
        n_energy_calls=len(flat) * n_views.n + calls.total,
        n_gradient_calls=calls.n_gradient_calls,
    )
    words = "log weight along the encoder's path; its mean is an upper bound on log_z"
    attrs |= {"kind": "bound", "definition": words}
    return xr.Dataset({"log_weight_reverse": (("chain", "draw"), log_w)}, attrs=attrs)


def _configurations(reference: Any, system: AbstractSystem) -> NDArray:
    """Those of the reference, shape (n_chains, n_draws, *event_shape), if they are of the system."""
    if not isinstance(reference, xr.Dataset):
        raise ArgumentTypeError(
            f"reference must be an xarray.Dataset of samples, got {type(reference).__name__}", "reference"
        )

    def refused(what: str) -> ArgumentValueError:
        return ArgumentValueError(f"reference must {what}", "reference")

    if "configurations" not in reference:
        raise refused("have the variable configurations (run with keep=True), got none")
    found = reference["configurations"]
    if not {"chain", "draw"} <= set(found.dims):
        raise refused(f"have the dims (chain, draw, ...) of Markov chains, got {found.dims}")
    values = found.transpose("chain", "draw", ...).to_numpy()
    if not np.isfinite(values).all():
        n_bad = int((~np.isfinite(values)).sum())
        raise refused(f"have finite configurations, got {n_bad} numbers that are not")
    if values.shape[2:] != system.event_shape:
        raise refused(f"have configurations of shape {system.event_shape}, got {values.shape[2:]}")
    of = [reference.attrs.get(name) for name in ("system", "parameters")]
    if of != [system.name, json.dumps(system.parameters)]:
        raise refused(f"be of {system!r}, got samples of {of[0]} with parameters {of[1]}")
    return values
