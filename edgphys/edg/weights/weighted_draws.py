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
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from edgphys import _checks
from edgphys._progress import ProgressBar
from edgphys._sizes import check_memory
from edgphys.edg.call_options import SampleOptions, not_annealed
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.targets.base import AbstractTarget, Calls
from edgphys.edg.trained import Run, TrainedModel, measured, spawned_generator
from edgphys.edg.weights.draw_weights import DrawWeights, flow_of
from edgphys.edg.weights.draws_checkpoint import DrawsCheckpoint, kept_draws
from edgphys.edg.weights.label_shares import with_best_shares
from edgphys.edg.weights.number_of_views import number_of_views
from edgphys.edg.weights.round_trip import RoundTrips
from edgphys.edg.weights.short_chains import short_chains
from edgphys.mcmc.annealing.ladder import Annealing
from edgphys.mcmc.annealing.walkers_of import walkers_of
from edgphys.systems.base import AbstractSystem

__all__ = ["check_draws", "draw_samples"]

# Draws from which those of the annealing's pilot are chosen by their weights.
_N_PILOT = 512
# A tenth of the draws, at most so many, is sent back through the encoder.
_MOST_ROUND_TRIPS = 1000


@dataclass
class _SoFar:
    """The draws so far, and all that the next batch depends on.

    Attributes
    ----------
    columns : list of dict
        Of each batch, arrays of shape (n_batch,): observables and log weights.
    configurations : list of array
        Of each batch, shape (n_batch, n_variables), if they are kept.
    """

    trained: TrainedModel
    weights: DrawWeights
    annealing: Annealing | None
    before: Calls
    keep: bool
    columns: list[dict[str, NDArray]] = field(default_factory=list)
    configurations: list[NDArray] = field(default_factory=list)

    @property
    def n_draws(self) -> int:
        return sum(len(batch["log_weight_joint"]) for batch in self.columns)

    def add_batch(self, size: int) -> None:
        log_w, configurations = _weighted_batch(self.trained, size, self.weights, self.annealing)
        columns = measured(self.trained.system, configurations)
        self.columns.append(columns | {"log_weight_joint": log_w.numpy()})
        if self.keep:
            self.configurations.append(configurations.numpy())

    def joined(self) -> tuple[dict[str, NDArray], NDArray | None]:
        """All columns, and all configurations."""
        names = self.columns[0]
        columns = {name: np.concatenate([batch[name] for batch in self.columns]) for name in names}
        return columns, np.concatenate(self.configurations) if self.keep else None

    def state(self) -> dict[str, Any]:
        """For `restore`; not changed by what comes."""
        weights, calls = self.weights, self.trained.model.target.calls - self.before
        return {
            "columns": {name: [batch[name] for batch in self.columns] for name in self.columns[0]},
            "configurations": list(self.configurations),
            "generator": weights.generator.get_state(),
            "trips": None if weights.trips is None else weights.trips.state(),
            "spread": weights.spread.state(),
            "steps": weights.steps.state(),
            "annealing": None if self.annealing is None else self.annealing.state(),
            "calls": (calls.n_energy_calls, calls.n_gradient_calls),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`; the counters of the target as well."""
        names = state["columns"]
        self.columns = [{name: np.asarray(names[name][0]) for name in names}]
        self.configurations = [np.asarray(part) for part in state["configurations"]]
        self.weights.generator.set_state(state["generator"])
        if self.weights.trips is not None:
            self.weights.trips.restore(state["trips"])
        self.weights.spread.restore(state["spread"])
        self.weights.steps.restore(state["steps"])
        target = cast(AbstractTarget, self.trained.model.target)
        target.calls_since(self.before + Calls(*state["calls"]))  # sets the counters


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
    checkpoint: str | Path | None = None,
) -> xr.Dataset:
    """Independent draws with importance weights, see `EDG.sample`.

    Without short chains from the draws where other reasons decide what is trusted (`with_chains`).
    """
    n_samples, seed = _checks.count(n_samples, "n_samples", 1), _checks.seed(seed)
    check_draws(trained.system, n_samples, options.batch_size)
    of_call = n_samples, seed, keep
    with kept_draws(checkpoint, trained, options, *of_call) as store:
        return _drawn(trained, *of_call, options, progress, with_chains, store)


def _drawn(
    trained: TrainedModel,
    n_samples: int,
    seed: int,
    keep: bool,
    options: SampleOptions,
    progress: bool | None,
    with_chains: bool,
    store: DrawsCheckpoint | None,
) -> xr.Dataset:
    flow = flow_of(options, trained.options.has_flow)
    n_steps = options.n_path_steps or trained.options.n_path_steps
    begin, model = time.perf_counter(), trained.model
    before = model.target.calls
    found = None if store is None else store.found
    annealing = _annealing(trained, options.n_anneal, seed, found and found["annealing"])
    annealed = annealing is not None
    model, shares, n_pilot = with_best_shares(model, options, n_samples, n_steps, seed, annealed=annealed)
    trained = replace(trained, model=model)
    views = number_of_views(model, options, n_samples, n_steps, seed, annealed=annealed)
    generator = torch.Generator(device=model.device).manual_seed(seed)
    trips = _round_trips(model, min(_MOST_ROUND_TRIPS, n_samples // 10), seed)
    weights = DrawWeights(n_steps, generator, flow, trips, views.n)
    so_far = _SoFar(trained, weights, annealing, before, keep)
    if found is not None:
        so_far.restore(found)
    with ProgressBar("draws", n_samples, progress) as bar:
        bar.advance(so_far.n_draws)
        while so_far.n_draws < n_samples:
            size = min(options.batch_size, n_samples - so_far.n_draws)
            so_far.add_batch(size)
            if store is not None:
                store.remember(so_far.state())
            bar.advance(size)
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
    run = Run("edg", seed, keep, begin, 0.0 if store is None else store.earlier_time)
    samples = run.dataset(trained, *so_far.joined(), settings, spent)
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


def _annealing(
    trained: TrainedModel, n_rungs: int | None, seed: int, found: dict[str, Any] | None
) -> Annealing | None:
    """The ladder from the system trained on to the system itself, from a pilot or as `found`."""
    if n_rungs == 0 or (n_rungs is None and not trained.is_eased):
        return None
    model, system = trained.model, trained.system
    if not model.target.can_anneal:
        raise not_annealed(system.name, n_rungs)
    pilot, production = np.random.SeedSequence(seed, spawn_key=(2,)).spawn(2)
    weights = DrawWeights(trained.options.n_path_steps, spawned_generator(pilot, model.device))
    ends = model.target.training_system, system
    rngs = np.random.default_rng(pilot), np.random.default_rng(production)
    if found is not None:
        return Annealing.resumed(walkers_of(*ends), *ends, found, rngs[1])
    start = _start_batch(model, _N_PILOT, weights)
    return Annealing(walkers_of(*ends), *ends, n_rungs, *start, *rngs)


@torch.no_grad()
def _start_batch(model: AbstractEDGModel, size: int, weights: DrawWeights) -> tuple[np.ndarray, np.ndarray]:
    """Draws, float64, with log weights for the system trained on."""
    draw = model.draw(size, weights.generator)
    x, log_density = model.target.start(draw.x, weights.generator)

    def back() -> tuple[Tensor, Tensor]:
        return model.target.lower_start(x.to(draw.x), weights.generator)

    return x.cpu().numpy(), weights(model, draw, log_density, x, back).cpu().numpy()


@torch.no_grad()
def _weighted_batch(
    trained: TrainedModel, size: int, weights: DrawWeights, annealing: Annealing | None
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
