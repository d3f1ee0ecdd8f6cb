# SPDX-License-Identifier: MIT
"""Growth of a cluster: its options, and how the model is built and trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, final

import torch

from edgphys._checks import choice, count
from edgphys._sizes import at_most, check_memory
from edgphys.edg.core.bounds import path_bound
from edgphys.edg.core.chain_reference import ChainPlan, Reference
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.model_options import ModelOptions, option, set_fields
from edgphys.edg.core.recipe import AbstractRecipe, TrainingJob
from edgphys.edg.core.stages import chains_then_energy
from edgphys.edg.core.training import History, Stage, train_stages
from edgphys.edg.growth.features import N_FEATURES
from edgphys.edg.growth.generative_model import GrowthModel
from edgphys.edg.growth.laws import GrowthLaws
from edgphys.edg.growth.reference_bound import EFFORT, RadialBound, ReferenceBound
from edgphys.edg.growth.share_trials import share_trials
from edgphys.edg.targets.continuous import eased
from edgphys.errors import ArgumentValueError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.particles.base import AbstractParticleSystem

__all__ = ["GrowthOptions", "GrowthRecipe"]

# Steps for the law of the radii alone, and configurations in each, before a training on the energy.
_N_RADIAL_STEPS, _RADIAL_BATCH = 200, 256
# Configurations that lengths are taken from, scales of invariants, and that trials are shared out by.
_N_FOR_SCALES, _N_FOR_INVARIANTS, _N_FOR_TRIALS = 2048, 64, 64
# Chains of clusters: from a gas and from the solid, long enough to leave both.
_CHAINS = ChainPlan(n_chains=16, n_warmup=2000, most=16384)


@dataclass(frozen=True, kw_only=True)
class GrowthOptions(ModelOptions):
    """Options of growth.

    Attributes
    ----------
    target : {"growth"}
    n_trials : int
        Trial positions of a particle, on average over the particles.
    n_picks : int
        Of them that the network sees.
    train_at : dict of str to float, or None
        Parameters at which training sees the system; None: the system itself.
    decoder_size : tuple of int
        Hidden units of the networks, and their layers.
    encoder_size, n_path_steps
        Without meaning here: nothing is left to infer.
    """

    decoder_size: tuple[int, int] = option((64, 2), "hidden units of the laws, and their layers")
    target: str = option("growth", "particles placed one after the other by learned laws")
    n_trials: int = option(512, "trial positions of a particle, on average")
    n_picks: int = option(32, "of the trials that the network sees")
    train_at: Mapping[str, float] | None = option(None, "parameters at which training sees the system")

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self.target, "target", ("growth",))
        for name in ("n_trials", "n_picks"):
            at_most(getattr(self, name), name)
            set_fields(self, **{name: count(getattr(self, name), name, 2)})
        check_memory(4.0 * N_FEATURES * self.n_picks, "n_picks", f"{self.n_picks} picks")

    @property
    def is_eased(self) -> bool:
        return bool(self.train_at)


@final
class GrowthRecipe(AbstractRecipe):
    """One particle after the other, in the order of their distances from a centre."""

    name = "growth"
    options = GrowthOptions
    geometries = ("particles",)
    default_of = "particles"
    strength = (
        "particles are placed by laws of known density; on DW4 and LJ13 it reached a larger effective sample "
        "size than particles with annealing did, with fewer energies (studies/molecular)"
    )
    targets = ("growth",)
    annealing = 0.4
    learning_rate = 6e-3
    max_gradient = 50.0
    trainings = ("chains", "energy", "both")
    # It does not end early.
    patience = 1_000_000
    objective = "log q averaged over configurations of a reference, or a lower bound on log_z up to its noise"

    def serves(self, system):
        why_not = super().serves(system)
        if why_not is None and system.pair_law is None:
            why_not = f"decoder {self.name} needs a system whose energy is a sum over pairs"
        if why_not is None and _cluster(system).n_axes > 3:
            why_not = f"decoder {self.name} takes up to 3 axes"
        return why_not

    def complete(self, system, options):
        if options.train_at is not None:
            options = replace(options, train_at=eased(system, options.train_at))
        n_particles = _cluster(system).n_particles
        rows = options.n_picks * (n_particles - 1)
        check_memory(8.0 * N_FEATURES * rows, "n_picks", f"{rows} picks of {n_particles} particles")
        return replace(options, n_path_steps=1, encoder_size=(1, 1))

    def build(self, system, options, seed, weights):
        system = _cluster(system)
        trained = system.replace(**options.train_at) if options.is_eased else system
        width, depth = options.decoder_size
        sizes = {"width": width, "depth": depth, "n_trials": options.n_trials, "n_picks": options.n_picks}
        return GrowthModel(GrowthLaws(trained, **sizes, seed=seed), system, options.n_path_steps)

    def default_steps(self, system, options):
        # Smaller batches of larger clusters, which have more to learn.
        return 100 * round(30 * max(1.0, (_cluster(system).n_particles / 13.0) ** 0.5))

    def default_batch_size(self, system, training):
        # All pairs of all trials of a step: about the same for clusters of all sizes.
        return min(max(round(416 / _cluster(system).n_particles), 8), 128)

    def bounds_log_z(self, options, training):
        return training != "chains" and super().bounds_log_z(options, training)

    def path_share(self, options):
        return 0.0

    def fit(self, job: TrainingJob) -> tuple[AbstractEDGModel, History, dict[str, Any]]:
        model = self.build(job.system, job.options, job.settings.seed, None).to(job.device)
        if job.reference is not None and job.options.is_eased:
            raise ArgumentValueError("reference must be None with train_at, got a dataset", "reference")
        trained = replace(job, system=model.target.training_system)
        reference = Reference(trained, [trained.system], _CHAINS)
        model.laws.set_scales(_positions(job.system, reference()[:_N_FOR_SCALES]))
        seen = _some(reference(), _N_FOR_INVARIANTS).to(job.device)
        n_energy_calls = model.set_invariants(seen, job.settings.seed)
        stages = _stages(job, reference)
        history = train_stages(model, stages, on_step=job.on_step, checkpoint=job.checkpoint, begin=job.begin)
        n_energy_calls += _n_energy_calls(model, stages)
        with torch.no_grad():
            n_energy_calls += share_trials(
                model, _some(reference(), _N_FOR_TRIALS).to(job.device), job.settings.seed
            )
        model.laws.witnesses = reference.witnesses().to(job.device)
        told = {"training": job.training, "n_gradient_calls": reference.n_gradient_calls, **reference.told}
        told["n_energy_calls"] += n_energy_calls
        model.target.n_energy_calls = 0  # told already
        return model, history, told


def _n_energy_calls(model: GrowthModel, stages: list[Stage]) -> int:
    """By numbers of steps, so that a training that was stopped counts the same.

    The law of the radii has no trials; a cluster that the model draws itself has an energy of its own.
    """
    n_grown, n_own = 0.0, 0
    for stage in stages:
        n = stage.settings.n_steps * stage.settings.batch_size
        if stage.first is path_bound:
            n_grown, n_own = n_grown + n, n_own + n
        elif isinstance(stage.first, ReferenceBound):
            n_grown += EFFORT * n
    return n_own + model.target.trials_as_energies(n_grown)


def _cluster(system: AbstractSystem) -> AbstractParticleSystem:
    """A system of the geometry that is served."""
    return cast(AbstractParticleSystem, system)


def _positions(system: AbstractSystem, configurations: torch.Tensor):
    return configurations.reshape(-1, *system.event_shape).numpy()


def _some(configurations: torch.Tensor, n: int) -> torch.Tensor:
    """n of them, from all over."""
    return configurations[:: max(1, len(configurations) // n)][:n]


def _stages(job: TrainingJob, reference: Reference) -> list[Stage]:
    """The runs of a training; see `GrowthOptions`."""
    by_chains = Stage(job.settings, ReferenceBound(reference), path_bound)
    if job.training == "chains":
        return [by_chains]
    if job.training == "energy":
        radial = replace(job.settings, n_steps=_N_RADIAL_STEPS, batch_size=_RADIAL_BATCH, annealing=0.0)
        return [
            Stage(radial, RadialBound(reference), path_bound),
            Stage(job.settings, path_bound, path_bound),
        ]
    return chains_then_energy(by_chains, job.settings.batch_size)
