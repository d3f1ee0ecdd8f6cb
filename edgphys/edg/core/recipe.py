# SPDX-License-Identifier: MIT
"""What a family of decoders declares: its options, which systems it serves, and how its model is built.

A new decoder is a folder with its recipe, and one line in `edgphys.edg.recipes`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from edgphys.edg.core.bounds import continuous_bound, path_bound
from edgphys.edg.core.model import AbstractGenerator
from edgphys.edg.core.model_options import ModelOptions
from edgphys.edg.core.training import Bound, History, OnStep, TrainingSettings, train
from edgphys.systems.base import AbstractSystem

__all__ = ["AbstractRecipe", "TrainingJob", "Weights"]

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class TrainingJob:
    """All that a recipe needs to train a model.

    Attributes
    ----------
    system : AbstractSystem
    options : ModelOptions
        Those of the recipe.
    settings : TrainingSettings
    device : torch.device
    on_step : callable
        Told the number of finished steps and the loss.
    checkpoint : Path, optional
    training : str
        One of the recipe's `trainings`.
    reference : tensor, shape (n_configurations, n_variables), optional
        Configurations to learn from.
    start : AbstractGenerator, optional
        Trained for another size or coupling, from which parts are taken over.
    begin : float, optional
        Of ``time.perf_counter``, when this run of the training was begun.
    """

    system: AbstractSystem
    options: Any
    settings: TrainingSettings
    device: torch.device
    on_step: OnStep
    checkpoint: Path | None = None
    training: str = "energy"
    reference: Tensor | None = None
    start: AbstractGenerator | None = None
    begin: float | None = None


class AbstractRecipe(ABC):
    """From a system and options to a model; concrete recipes are final and hold nothing.

    Attributes
    ----------
    name : str
        Of the decoder.
    options : type
        Dataclass of its options.
    geometries : tuple of str
        Geometries of the systems that it serves (see `edgphys.systems.base.AbstractSystem`).
    default_of : str or None
        Geometry whose systems it serves unless told otherwise.
    strength : str
        What was measured that makes it the first choice, where there are several for a geometry.
    targets : tuple of str
        Values of the option `target` that choose this decoder where none is named.
    batch_size : int
        Decoder samples in a training step, unless told.
    patience, annealing : int, float
        See `EDG.fit`, unless told.
    objective : str
        What minus the training loss is.
    learning_rate, max_gradient : float
        Largest rate of Adam unless told, and norm at which gradients are clipped.
    trainings : tuple of str
        Where it can learn from, the default first: "energy" is the energy of the system alone.
    conditional : bool
        Whether one model can serve a range of couplings.
    by_gradient : bool
        Whether it learns the density of x from the gradient of its energy.
    """

    name: ClassVar[str]
    options: ClassVar[type[ModelOptions]]
    geometries: ClassVar[tuple[str, ...]] = ("lattice", "continuous", "particles")
    default_of: ClassVar[str | None] = None
    strength: ClassVar[str] = ""
    targets: ClassVar[tuple[str, ...]] = ()
    batch_size: ClassVar[int] = 128
    patience: ClassVar[int] = 500
    annealing: ClassVar[float] = 0.0
    objective: ClassVar[str] = "a lower bound on log_z up to its noise"
    learning_rate: ClassVar[float] = 3e-3
    max_gradient: ClassVar[float] = 5.0
    trainings: ClassVar[tuple[str, ...]] = ("energy",)
    conditional: ClassVar[bool] = False
    by_gradient: ClassVar[bool] = True

    def serves(self, system: AbstractSystem) -> str | None:
        """None, or what keeps this decoder from the system."""
        if system.geometry not in self.geometries:
            return f"decoder {self.name} takes systems of geometry {' or '.join(self.geometries)}"
        reason = system.why_no_decoder() if self.by_gradient else None
        return None if reason is None else f"decoder {self.name} {reason}"

    def complete(self, system: AbstractSystem, options: Any) -> Any:
        """The options with the defaults that depend on the system, checked against it."""
        return options

    def reason(self, options: Any) -> str:
        """Why it was chosen with these options, where it is the first choice."""
        return self.strength

    def trained_system(self, system: AbstractSystem, options: Any) -> AbstractSystem:
        """Whose configurations the model draws, and a reference has: the system itself unless it is eased."""
        return system

    def described(self, options: ModelOptions) -> dict[str, Any]:
        """What a dataset and a file write down: with it `edgphys.edg.recipes.recipe_for` finds both again."""
        return {"decoder": self.name} | options.as_dict()

    @abstractmethod
    def build(
        self, system: AbstractSystem, options: Any, seed: int, weights: Weights | None
    ) -> AbstractGenerator:
        """The untrained model, or, with `weights` from its ``state_dict``, one of the same shapes."""

    def bounds_log_z(self, options: Mapping[str, Any], training: str) -> bool:
        """Whether minus the loss of the last stage is a lower bound on log_z of the system.

        `options` are those of `described`, `training` what the model learns from.
        """
        return not options.get("conditions") and not options.get("train_at")

    @abstractmethod
    def default_steps(self, system: AbstractSystem, options: Any) -> int:
        """Optimiser steps that training takes unless told."""

    def default_batch_size(self, system: AbstractSystem, training: str) -> int:
        """Decoder samples in a step unless told."""
        return self.batch_size

    def first_bound(self, model: AbstractGenerator, options: Any) -> Bound:
        """Objective of the first part of the training."""
        return continuous_bound

    def last_bound(self, model: AbstractGenerator, options: Any) -> Bound:
        """Objective of the second part."""
        return path_bound

    def path_share(self, options: Any) -> float:
        """Part of the training spent on the path bound, unless told."""
        return 0.5

    def fit(self, job: TrainingJob) -> tuple[AbstractGenerator, History, dict[str, Any]]:
        """A trained model, its history, and what datasets say of the training besides the settings."""
        model = self.build(job.system, job.options, job.settings.seed, None).to(job.device)
        first, last = self.first_bound(model, job.options), self.last_bound(model, job.options)
        kept = {"checkpoint": job.checkpoint, "begin": job.begin}
        history = train(model, job.settings, first, last, on_step=job.on_step, **kept)
        return model, history, {}
