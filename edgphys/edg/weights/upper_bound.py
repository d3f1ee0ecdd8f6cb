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

import time

import numpy as np
import torch
import xarray as xr

from edgphys import _checks
from edgphys.edg.call_options import SampleOptions
from edgphys.edg.reference import reference_configurations
from edgphys.edg.trained import TrainedModel
from edgphys.edg.weights.number_of_views import number_without_pilot
from edgphys.edg.weights.views import harmonic_mean, redraw
from edgphys.estimators.diagnosis import warning_on
from edgphys.systems.provenance import sample_attrs

__all__ = ["upper_bound"]

_BATCH = 1000


def upper_bound(
    trained: TrainedModel, reference: xr.Dataset, seed: int, options: SampleOptions
) -> xr.Dataset:
    """Log weights of reference samples, see `EDG.upper_bound`."""
    model, begin = trained.model, time.perf_counter()
    n_steps = options.n_path_steps or trained.options.n_path_steps
    values = reference_configurations(reference, trained.system)
    n_views = number_without_pilot(options, model)
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
    attrs |= {"kind": "bound", "definition": words, "warning": warning_on(reference, log_w)}
    return xr.Dataset({"log_weight_reverse": (("chain", "draw"), log_w)}, attrs=attrs)
