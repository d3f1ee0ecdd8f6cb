# SPDX-License-Identifier: MIT
"""How `EDG.sample` turns draws of the decoder into weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgphys.edg.checks import choice, count
from edgphys.edg.core.model import AbstractEDGModel, Draw
from edgphys.edg.core.path import log_weights
from edgphys.edg.weights.ode import ode_log_weights
from edgphys.edg.weights.round_trip import RoundTrips

__all__ = ["Weighing", "ode_options"]


@dataclass(frozen=True)
class Weighing:
    """Path weights, or those of the flow.

    Attributes
    ----------
    n_steps : int
        K of the path.
    generator : torch.Generator
        On the model's device.
    ode : dict, optional
        Options of `ode_log_weights`, where the flow is to give the weights.
    trips : RoundTrips, optional
        Told of every draw that has path weights.
    """

    n_steps: int
    generator: torch.Generator
    ode: dict[str, Any] | None = None
    trips: RoundTrips | None = None

    def __call__(self, model: AbstractEDGModel, draw: Draw, log_density: Tensor) -> Tensor:
        """log w of `draw`, float64, shape (n_batch,); `log_density` is that of the target at ``draw.x``."""
        if self.ode is not None:
            return ode_log_weights(model, draw, log_density, self.generator, **self.ode)
        log_w = log_weights(model, draw, log_density, self.n_steps, self.generator)
        if self.trips is not None:
            self.trips.add(draw.x, log_density, log_w)
        return log_w


def ode_options(
    encoder: str | None,
    *,
    weights: str = "path",
    divergence: str = "exact",
    n_probes: int = 1,
    n_ode_steps: int = 16,
) -> dict[str, Any] | None:
    """Checked arguments of `EDG.sample` as options of `ode_log_weights`; None for path weights.

    Raises
    ------
    TypeError, ValueError
        If a count is none, or a Gaussian encoder is to have a flow.
    UnknownNameError
        If there are no such weights or divergence.
    """
    choice(divergence, "divergence", ("exact", "hutchinson"))
    n_steps, n_probes = count(n_ode_steps, "n_ode_steps", 1), count(n_probes, "n_probes", 1)
    if choice(weights, "weights", ("path", "ode")) == "path":
        return None
    if encoder == "gaussian":
        raise ValueError("weights must be 'path' for encoder='gaussian' (it has no flow), got 'ode'")
    ode = {"divergence": divergence, "n_steps": n_steps}
    return ode | ({"n_probes": n_probes} if divergence == "hutchinson" else {})
