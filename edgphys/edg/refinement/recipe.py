# SPDX-License-Identifier: MIT
"""Learned partial sums on a lattice: their options, and how the model is built and trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, final

from edgphys._checks import choice, number
from edgphys.edg.core.chain_reference import ChainPlan, Reference
from edgphys.edg.core.conditions import Conditions
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.model_options import ModelOptions, option, set_fields
from edgphys.edg.core.recipe import AbstractRecipe, TrainingJob
from edgphys.edg.core.training import History, train_stages
from edgphys.edg.refinement.generative_model import RefinementModel
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.law_stages import batch_size_for, law_stages
from edgphys.edg.refinement.laws_of import are_alike, has_law, why_no_law
from edgphys.edg.refinement.levels import LEVELS, REASON, is_frustrated, levels_of
from edgphys.edg.refinement.root_edg import fit_with_root, has_edg_root, laws_among, root_model, root_target
from edgphys.edg.targets.continuous import eased
from edgphys.errors import ArgumentValueError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["RefinementOptions", "RefinementRecipe"]

_ROOTS = ("autoregressive", "edg")
# Steps for a range of couplings over those for one.
_RANGE_TIMES = 1.5
# No symmetry moves the draws of a glass, so that training needs more of them.
_OF_A_GLASS = ChainPlan(most=2**16, looks=1)


@dataclass(frozen=True, kw_only=True)
class RefinementOptions(ModelOptions):
    """Options of learned partial sums.

    Attributes
    ----------
    target : {"refinement"}
    root : {"autoregressive", "edg"}
        How the coarsest sites are drawn.
    levels : {"halved", "one"} or None
        Whether there are levels from coarse to fine, or one with all sites that are not exact; None for the
        only possible or usual one, see `edgphys.edg.refinement.levels`.
    radius : float
        Of the window that a law sees, in units of the spacing of its level.
    train_at : dict of str to float, or None
        Parameters of the system whose laws are learned; None: the system itself.
    decoder_size : tuple of int
        Hidden units of the laws, and of the autoregressive root.
    encoder_size, n_path_steps
        Of an EDG root, channels and blocks of its decoder and of its encoder; without meaning for an
        autoregressive one, where nothing is left to infer.
    """

    decoder_size: tuple[int, int] = option((48, 64), "hidden units of the laws, and of the root")
    encoder_size: tuple[int, int] = option((16, 2), "channels and blocks of an EDG root")
    target: str = option("refinement", "learned partial sums from coarse to fine")
    root: str = option("autoregressive", "how the coarsest sites are drawn: autoregressive or edg")
    levels: str | None = option(None, "halved: from coarse to fine; one: site after site")
    radius: float = option(4.0, "of the window of a law, in units of the spacing of its level")
    train_at: Mapping[str, float] | None = option(None, "parameters at which training sees the system")

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self.target, "target", ("refinement",))
        choice(self.root, "root", _ROOTS)
        if self.levels is not None:
            choice(self.levels, "levels", LEVELS)
        set_fields(self, radius=number(self.radius, "radius", least=1.0))

    def _n_weights(self, name: str, size: tuple[int, ...]) -> float:
        """Hidden units of laws and root are of one layer: each sees some sites at least."""
        return super()._n_weights(name, size) if name == "encoder_size" else float(sum(size))

    @property
    def is_eased(self) -> bool:
        return bool(self.train_at)


@final
class RefinementRecipe(AbstractRecipe):
    """Local laws from coarse to fine, the last class of sites exact."""

    name = "refinement"
    options = RefinementOptions
    geometries = ("lattice",)
    default_of = "lattice"
    strength = (
        "the sites have a law of known form; on 8 x 8 and 16 x 16 sites it reached a larger effective sample "
        "size than field in less training time (studies/lattice_records, studies/free_energy_8x8)"
    )
    targets = ("refinement",)
    annealing = 0.4
    learning_rate = 0.02
    max_gradient = 20.0
    trainings = ("chains", "energy", "both")
    conditional = True
    by_gradient = False
    # It does not end early: without a reference the loss rises with the coupling.
    patience = 1_000_000
    objective = "log q averaged over configurations of a reference, or a lower bound on log_z up to its noise"

    def reason(self, options):
        return f"{self.strength}; {REASON}" if options.levels == "one" else self.strength

    def serves(self, system):
        why_not = super().serves(system)
        if why_not is None and not has_law(system):
            why_not = f"decoder {self.name} has no law for the sites of {system.name}{why_no_law(system)}"
        return why_not

    def complete(self, system, options):
        if options.train_at is not None:
            options = replace(options, train_at=_eased(system, options))
        if options.root == "edg" and not has_edg_root(system):
            words = f"must be 'autoregressive' for {system.name}, whose bonds are no products of vectors"
            raise ArgumentValueError(f"root {words}, got 'edg'", "root")
        if options.root == "edg" and not are_alike(cast(AbstractLatticeSystem, system)):
            words = "must be 'autoregressive' for couplings or fields that differ from cell to cell"
            raise ArgumentValueError(f"root {words}, got 'edg'", "root")
        if options.conditions and options.root != "autoregressive":
            raise ArgumentValueError(
                f"root must be 'autoregressive' for a sampler with conditions, got {options.root!r}", "root"
            )
        levels = levels_of(cast(AbstractLatticeSystem, system), options.levels, options.root)
        options = replace(options, levels=levels)
        if options.root == "autoregressive":
            return replace(options, n_path_steps=1, encoder_size=(1, 1))
        return options

    def trained_system(self, system, options):
        return system.replace(**options.train_at) if options.is_eased else system

    def build(self, system, options, seed, weights):
        laws = _laws(self.trained_system(system, options), options, seed)
        if options.root == "autoregressive":
            return RefinementModel(laws, options.n_path_steps)
        if weights is not None:
            laws.load_state_dict(laws_among(weights))
        target = root_target(laws, width=options.decoder_size[1], seed=seed, weights=weights)
        return root_model(target, options, seed)

    def default_steps(self, system, options):
        n_laws = round(1000 * max(1.0, _n_sites(system) / 256) ** 0.25)
        if options.conditions:
            n_laws = round(_RANGE_TIMES * n_laws)
        return n_laws if options.root == "autoregressive" else 3 * n_laws

    def default_batch_size(self, system, training):
        # Local laws of a frustrated lattice differ by little more than the noise of small batches.
        like = "energy" if is_frustrated(system) else training
        return batch_size_for(_n_sites(system), like)

    def bounds_log_z(self, options, training):
        whole = options["root"] == "autoregressive" and training != "chains"
        return whole and super().bounds_log_z(options, training)

    def path_share(self, options):
        return 0.5 if options.root == "edg" else 0.0

    def fit(self, job: TrainingJob) -> tuple[AbstractEDGModel, History, dict[str, Any]]:
        job = replace(job, system=self.trained_system(job.system, job.options))
        laws = _laws(job.system, job.options, job.settings.seed).to(job.device)
        if job.start is not None:
            _take_over(laws, job.start.target.laws)
        plan = ChainPlan() if are_alike(laws.system) else _OF_A_GLASS
        reference = Reference(job, [job.system] if laws.range is None else laws.range.systems, plan)
        if job.options.root == "autoregressive":
            model = RefinementModel(laws, job.options.n_path_steps)
            stages = law_stages(laws, job.training, job.settings, reference)
            kept = {"checkpoint": job.checkpoint, "begin": job.begin}
            history = train_stages(model, stages, on_step=job.on_step, **kept)
        else:
            model, history = fit_with_root(job, laws, reference)
        laws.witnesses = reference.witnesses().to(job.device)
        return model, history, {"training": job.training, **reference.told}


def _n_sites(system: AbstractSystem) -> int:
    return cast(AbstractLatticeSystem, system).n_sites


def _eased(system: Any, options: RefinementOptions) -> dict[str, float]:
    """The checked parameters of `train_at`."""
    if options.conditions:
        raise ArgumentValueError(
            f"train_at must be left out of a sampler with conditions, got {options.train_at!r}", "train_at"
        )
    return eased(system, options.train_at)


def _take_over(laws: LatticeGenerator, other: LatticeGenerator) -> None:
    """Start from the laws of another sampler, if at least one of them fits, and from its root if it does."""
    kept = laws.refinement.start_from(other.refinement)
    mine, its = laws.root.network, other.root.network
    same_root = mine.shapes == its.shapes
    if len(kept) == laws.refinement.n_classes and (kept or not same_root):
        raise ArgumentValueError(
            "start must have laws of the shapes of this EDG (family, lattice, radius, decoder_size), "
            f"got none that fits, of {other.system!r}",
            "start",
        )
    if same_root:
        mine.load_state_dict(its.state_dict())


def _laws(system: Any, options: RefinementOptions, seed: int) -> LatticeGenerator:
    width, root_width = options.decoder_size
    return LatticeGenerator(
        cast(AbstractLatticeSystem, system),
        radius=options.radius,
        width=width,
        halved=None if options.levels is None else options.levels == "halved",
        root_width=root_width,
        conditions=Conditions(options.conditions or {}),
        seed=seed,
    )
