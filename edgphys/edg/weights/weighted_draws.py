# SPDX-License-Identifier: MIT
"""Weighted draws of a model: path weights or those of the flow, annealed to the system where asked.

Every random step has a seed of its own, spawned from that of the call: the draws and their weights (none),
the ladder of the annealing (2), the draws that are sent back (3), the pilots that choose the number of views
(4), the shares of the labels (7) and the short chains (9); that of the chain is (1), those of training are
(5) and (6).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from edgphys import _checks
from edgphys._progress import ProgressBar
from edgphys._sizes import check_memory
from edgphys.edg.call_options import SampleOptions, not_annealed
from edgphys.edg.core.model import AbstractEDGModel, Draw
from edgphys.edg.core.path import log_weights
from edgphys.edg.targets.base import AbstractTarget, Calls
from edgphys.edg.trained import Run, TrainedModel, spawned_generator
from edgphys.edg.weights.label_shares import with_best_shares
from edgphys.edg.weights.number_of_views import number_of_views
from edgphys.edg.weights.ode import Flow, StepChange, ode_log_weights
from edgphys.edg.weights.round_trip import RoundTrips
from edgphys.edg.weights.short_chains import short_chains
from edgphys.edg.weights.views import Back, ViewSpread, harmonic_mean, redraw_by
from edgphys.errors import ArgumentValueError
from edgphys.mcmc.annealing.ladder import Annealing
from edgphys.mcmc.annealing.walkers_of import walkers_of
from edgphys.systems.base import AbstractSystem

__all__ = ["check_draws", "draw_samples", "flow_of"]

# Draws from which those of the annealing's pilot are chosen by their weights.
_N_PILOT = 512
# A tenth of the draws, at most so many, is sent back through the encoder.
_MOST_ROUND_TRIPS = 1000


@dataclass(frozen=True)
class _Weights:
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


def check_draws(system: AbstractSystem, n_samples: int, batch_size: int) -> None:
    """Refuse draws that the memory does not hold: in float64, all of them, and one batch with latents."""
    held = 8.0 * (system.n_variables + len(system.observables) + 3)
    check_memory(n_samples * held, "n_samples", f"{n_samples} draws of {system.n_variables} variables")
    batch = min(batch_size, n_samples)
    check_memory(3.0 * batch * held, "batch_size", f"{batch} draws at a time")


def draw_samples(
    trained: TrainedModel,
    n_samples: int,
    seed: int,
    options: SampleOptions,
    *,
    keep: bool,
    progress: bool | None,
    with_chains: bool = True,
) -> xr.Dataset:
    """Independent draws with importance weights, see `EDG.sample`.

    Without short chains from the draws where other reasons decide what is trusted (`with_chains`).
    """
    n_samples, seed = _checks.count(n_samples, "n_samples", 1), _checks.seed(seed)
    check_draws(trained.system, n_samples, options.batch_size)
    flow = flow_of(options, trained.options.has_flow)
    n_steps = options.n_path_steps or trained.options.n_path_steps
    run, model = Run("edg", seed, keep, time.perf_counter()), trained.model
    before = model.target.calls
    annealing = _annealing(trained, options.n_anneal, seed)
    annealed = annealing is not None
    model, shares, n_pilot = with_best_shares(model, options, n_samples, n_steps, seed, annealed=annealed)
    trained = replace(trained, model=model)
    views = number_of_views(model, options, n_samples, n_steps, seed, annealed=annealed)
    generator = torch.Generator(device=model.device).manual_seed(seed)
    trips = _round_trips(model, min(_MOST_ROUND_TRIPS, n_samples // 10), seed)
    weights = _Weights(n_steps, generator, flow, trips, views.n)
    parts = []
    with ProgressBar("draws", n_samples, progress) as bar:
        for first in range(0, n_samples, options.batch_size):
            size = min(options.batch_size, n_samples - first)
            parts.append(_weighted_batch(trained, size, weights, annealing))
            bar.advance(size)
    log_w, configurations = (torch.cat(column) for column in zip(*parts, strict=True))
    settings = {"n_samples": n_samples, "batch_size": options.batch_size, "weights": options.weights}
    settings |= {"n_path_steps": n_steps} if flow is None else flow.settings
    settings |= views.settings | shares
    witnesses = model.target.start_witnesses() if annealed else model.target.witnesses()
    target = cast(AbstractTarget, model.target)
    chains = short_chains(target, annealed, _spawned_rng(seed, 9)) if with_chains else None
    unseen = trips.unseen(model, n_steps, witnesses, annealed=annealed, chains=chains)
    spent = model.target.calls_since(before) + Calls(views.n_more_energies(n_samples) + n_pilot)
    if annealing is not None:
        settings |= {"n_anneal": annealing.n_rungs, "ess_start": annealing.start_share()}
        spent = spent + Calls(annealing.n_energy_calls, annealing.n_gradient_calls)
    columns = {"log_weight_joint": log_w.numpy()}
    samples = run.dataset(trained, configurations, columns, settings, spent)
    samples.attrs |= {"log_weight_exact": int(options.is_exact), **unseen, **weights.spread.attrs()}
    samples.attrs |= weights.steps.attrs()
    if chains is not None:  # moves, and the energy of each state that is sent back
        samples.attrs["n_check_calls"] = chains.calls.total + unseen["n_sent_back"]
    samples.attrs |= {"decoder_reason": trained.reason} if trained.reason else {}
    return samples


def _spawned_rng(seed: int, key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))


def _round_trips(model: AbstractEDGModel, n_wanted: int, seed: int) -> RoundTrips:
    sequence = np.random.SeedSequence(seed, spawn_key=(3,))
    return RoundTrips(n_wanted, np.random.default_rng(sequence), spawned_generator(sequence, model.device))


def _annealing(trained: TrainedModel, n_rungs: int | None, seed: int) -> Annealing | None:
    """The ladder from the system trained on to the system itself, from a pilot of its own seed."""
    if n_rungs == 0 or (n_rungs is None and not trained.is_eased):
        return None
    model, system = trained.model, trained.system
    if not model.target.can_anneal:
        raise not_annealed(system.name, n_rungs)
    pilot, production = np.random.SeedSequence(seed, spawn_key=(2,)).spawn(2)
    weights = _Weights(trained.options.n_path_steps, spawned_generator(pilot, model.device))
    ends = model.target.training_system, system
    start = _start_batch(model, _N_PILOT, weights)
    rngs = np.random.default_rng(pilot), np.random.default_rng(production)
    return Annealing(walkers_of(*ends), *ends, n_rungs, *start, *rngs)


@torch.no_grad()
def _start_batch(model: AbstractEDGModel, size: int, weights: _Weights) -> tuple[np.ndarray, np.ndarray]:
    """Draws, float64, with log weights for the system trained on."""
    draw = model.draw(size, weights.generator)
    x, log_density = model.target.start(draw.x, weights.generator)

    def back() -> tuple[Tensor, Tensor]:
        return model.target.lower_start(x.to(draw.x), weights.generator)

    return x.cpu().numpy(), weights(model, draw, log_density, x, back).cpu().numpy()


@torch.no_grad()
def _weighted_batch(
    trained: TrainedModel, size: int, weights: _Weights, annealing: Annealing | None
) -> tuple[Tensor, Tensor]:
    """log weights and flat configurations, on the CPU."""
    model = trained.model
    if annealing is not None:
        x, log_w = annealing(*_start_batch(model, size, weights))
        return torch.from_numpy(log_w), model.target.finish(torch.from_numpy(x))
    draw = model.draw(size, weights.generator)
    log_density, configurations = model.target.lift(draw.x, weights.generator)
    move = trained.system.random_symmetry

    def back() -> tuple[Tensor, Tensor]:
        return model.target.lower(move(configurations, weights.generator).to(draw.x), weights.generator)

    log_w = weights(model, draw, log_density, configurations, back)
    if weights.n_views > 1 or model.target.breaks_symmetry:
        # The element of the view that made the draw, as uniform as those of the others.
        configurations = move(configurations, weights.generator)
    return log_w.cpu(), configurations.cpu()
