# SPDX-License-Identifier: MIT
"""Training as `EDG.fit` does it: options with the decoder's defaults, and what a dataset says of the run."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from edgphys import _checks
from edgphys._files import check_target, state_held
from edgphys._progress import ProgressBar
from edgphys._sizes import check_memory, check_work
from edgphys.edg.call_options import FitOptions
from edgphys.edg.core.model import AbstractGenerator
from edgphys.edg.core.model_options import ModelOptions
from edgphys.edg.core.recipe import AbstractRecipe, TrainingJob
from edgphys.edg.core.training import History, TrainingSettings
from edgphys.edg.reference import reference_configurations
from edgphys.errors import ArgumentValueError, TrainingError
from edgphys.recording.record import current
from edgphys.systems.base import AbstractSystem, check_finite_integral

__all__ = ["Fitted", "check_energy", "fit_model"]


@dataclass(frozen=True)
class Fitted:
    """A trained model.

    Attributes
    ----------
    model : AbstractGenerator
    history : History
    training : dict
        What datasets and files say of the training, JSON types.
    """

    model: AbstractGenerator
    history: History
    training: dict[str, Any]


def fit_model(
    system: AbstractSystem,
    recipe: AbstractRecipe,
    model_options: ModelOptions,
    seed: int,
    options: FitOptions,
    *,
    checkpoint: str | Path | None,
    progress: bool | None,
    reference: xr.Dataset | None = None,
    start: AbstractGenerator | None = None,
) -> Fitted:
    """Train from the physical start, see `EDG.fit`."""
    training = _where_from(recipe, options, reference)
    if reference is not None and model_options.conditions:
        raise ArgumentValueError(
            "reference must be None for a sampler with conditions: it runs its own chains; got a dataset",
            "reference",
        )
    configurations = None
    if reference is not None:
        values = reference_configurations(reference, recipe.trained_system(system, model_options))
        configurations = torch.from_numpy(values.reshape(values.shape[0] * values.shape[1], -1))
    begun = None if start is None else list(start.state_dict().values())
    of = {
        "training": training,
        "reference": _digest(None if configurations is None else [configurations]),
        "start": _digest(begun),
    }
    settings = _settings(system, recipe, model_options, _checks.seed(seed), options, of)
    path = None if checkpoint is None else check_target(checkpoint, "checkpoint")
    _check_size(system, settings)
    check_energy(system)
    check_finite_integral(system)
    begin = time.perf_counter()
    with ProgressBar("training", settings.n_steps, progress) as bar:

        def on_step(done: int, loss: float) -> None:
            bar.update(done, f"bound {-loss:.2f}")

        device = _checks.device(options.device)
        current().note({"training": asdict(settings) | {"subject": None, "stage": None, "device": device}})
        job = TrainingJob(
            system, model_options, settings, device, on_step, path, training, configurations, start, begin
        )
        with state_held(path):
            model, history, more = recipe.fit(job)
    n_steps = len(history.losses)
    told = {
        "seed": settings.seed,
        "n_steps": n_steps,
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "path_share": settings.path_share,
        "plateau_step": history.plateau_step,
        "training_time": history.earlier_time + time.perf_counter() - begin,
        "n_gradient_calls": n_steps * settings.batch_size,
    }
    # Targets that count know better, with what decoder, encoder and the search for basins evaluated.
    calls = model.target.calls
    counted = {"n_energy_calls": calls.n_energy_calls, "n_gradient_calls": calls.n_gradient_calls}
    told |= {name: n for name, n in counted.items() if n}
    return Fitted(model.eval(), history, told | more)


def _check_size(system: AbstractSystem, settings: TrainingSettings) -> None:
    """Refuse a batch that the memory does not hold, and trainings that no machine finishes."""
    numbers = float(settings.batch_size) * system.n_variables
    check_memory(16.0 * numbers, "batch_size", f"{settings.batch_size} samples in a step")
    check_work(numbers * settings.n_steps, "n_steps", f"{settings.n_steps} steps")


def _where_from(recipe: AbstractRecipe, options: FitOptions, reference: xr.Dataset | None) -> str:
    """What the model learns from: as asked, or from the reference if there is one, or as the recipe does."""
    asked = options.training
    if asked == "auto":
        asked = recipe.trainings[0] if reference is None else "chains"
    if asked not in recipe.trainings:
        what = "reference" if options.training == "auto" else "training"
        got = "a dataset" if what == "reference" else repr(asked)
        allowed = "None" if what == "reference" else " or ".join(map(repr, ("auto", *recipe.trainings)))
        raise ArgumentValueError(f"{what} must be {allowed} for decoder={recipe.name!r}, got {got}", what)
    if reference is not None and asked == "energy":
        raise ArgumentValueError("reference must be None for training='energy', got a dataset", "reference")
    return asked


def _settings(
    system: AbstractSystem,
    recipe: AbstractRecipe,
    model_options: ModelOptions,
    seed: int,
    options: FitOptions,
    of: dict[str, Any],
) -> TrainingSettings:
    """Options with the decoder's defaults; `subject` tells a checkpoint what it belongs to, `of` included."""
    n_steps, size, patience, path = options.n_steps, options.batch_size, options.patience, options.path_share
    subject = [system.identity(), recipe.described(model_options)]
    if len(recipe.trainings) > 1:  # several stages: each has settings of its own, so all are told here
        subject.append(asdict(options) | of | {"device": None})
    rate = recipe.learning_rate if options.learning_rate is None else options.learning_rate
    return TrainingSettings(
        n_steps=recipe.default_steps(system, model_options) if n_steps is None else n_steps,
        batch_size=recipe.default_batch_size(system, of["training"]) if size is None else size,
        learning_rate=rate,
        path_share=recipe.path_share(model_options) if path is None else path,
        annealing=recipe.annealing if options.annealing is None else options.annealing,
        max_gradient=recipe.max_gradient,
        averaging=0.99,
        patience=recipe.patience if patience is None else patience,
        seed=seed,
        subject=json.dumps(subject),
    )


def _digest(tensors: list[Tensor] | None) -> str | None:
    """A number that tells whether tensors are the same."""
    if tensors is None:
        return None
    total = hashlib.sha256()
    for tensor in tensors:
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def check_energy(system: AbstractSystem) -> None:
    """What the system hands back, checked once: shape and finiteness of the energy."""
    energy = system.reduced_energy(system.some_points(2))
    if not isinstance(energy, Tensor) or energy.shape != (2,):
        shape = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
        raise TrainingError(f"reduced_energy of {system.name} must give shape (n_batch,) = (2,), got {shape}")
    if not bool((torch.isfinite(energy) | torch.isposinf(energy)).all()):
        raise TrainingError(
            f"reduced_energy of {system.name} must be finite, or +inf within a wall, got {energy.tolist()}"
        )
