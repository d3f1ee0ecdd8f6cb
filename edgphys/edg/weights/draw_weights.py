# SPDX-License-Identifier: MIT
"""The log weights of a batch of draws: from the path, from the flow, or from many views."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from edgphys.edg.call_options import SampleOptions
from edgphys.edg.core.model import AbstractEDGModel, Draw
from edgphys.edg.core.path import log_weights
from edgphys.edg.weights.ode import Flow, StepChange, ode_log_weights
from edgphys.edg.weights.round_trip import RoundTrips
from edgphys.edg.weights.views import Back, ViewSpread, harmonic_mean, redraw_by
from edgphys.errors import ArgumentValueError

__all__ = ["DrawWeights", "flow_of"]


@dataclass(frozen=True)
class DrawWeights:
    """Path weights, or those of the flow.

    Attributes
    ----------
    n_steps : int
        K of the path.
    generator : torch.Generator
        On the model's device.
    flow : Flow, optional
        Where the flow is to give the weights.
    trips : RoundTrips, optional
        Told of every draw that has path weights.
    n_views : int
        Sides from which each draw is weighed.
    spread : ViewSpread
        Told of all sides.
    steps : StepChange
        Told of draws that have weights of the flow.
    """

    n_steps: int
    generator: torch.Generator
    flow: Flow | None = None
    trips: RoundTrips | None = None
    n_views: int = 1
    spread: ViewSpread = field(default_factory=ViewSpread)
    steps: StepChange = field(default_factory=StepChange)

    def __call__(
        self, model: AbstractEDGModel, draw: Draw, log_density: Tensor, states: Tensor, back: Back
    ) -> Tensor:
        """log w of `draw`, float64, shape (n_batch,).

        `log_density` is that of the target at ``draw.x``, `states` what short chains move; `back` gives x and
        its log-density anew.
        """
        # Without latents there is nothing to integrate: both kinds of weights are the ratio of densities.
        if self.flow is not None and model.n_latent:
            log_w = ode_log_weights(model, draw, log_density, self.generator, self.flow)
            self.steps.add(model, draw, log_density, log_w, self.generator, self.flow)
            return log_w
        log_w = log_weights(model, draw, log_density, self.n_steps, self.generator)
        if self.trips is not None:
            self.trips.add(draw.x, log_density, log_w, states)
        if self.n_views == 1:
            return log_w
        more = redraw_by(back, model, self.n_views - 1, self.n_steps, self.generator)
        self.spread.add(more)
        return harmonic_mean(torch.cat([log_w[None], more]))


def flow_of(options: SampleOptions, has_flow: bool) -> Flow | None:
    """The flow that gives the weights; None for path weights.

    Raises
    ------
    ArgumentValueError
        If there is to be a flow where the encoder has none.
    """
    if options.weights == "path":
        return None
    if not has_flow:
        raise ArgumentValueError(
            "weights must be 'path' for encoder='gaussian' (it has no flow), got 'ode'", "weights"
        )
    return Flow(options.divergence, options.n_probes, n_steps=options.n_ode_steps)
