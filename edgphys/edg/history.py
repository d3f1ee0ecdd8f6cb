# SPDX-License-Identifier: MIT
"""Datasets of kind "history": what a training has minimised, step by step.

variable        over step
bound           minus the loss of one batch
learning_rate   of Adam; NaN in trainings from before it was kept
stage           number of the run among those that make up the training, from 0

The attr ``bounds_log_z`` is 1 where the last stage's objective is a lower bound on log_z of the system, up to
the noise of a batch, and not a likelihood of configurations, or an average over a range of couplings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.schema import SCHEMA_VERSION
from edgphys.edg import storage
from edgphys.edg.core.recipe import AbstractRecipe
from edgphys.edg.core.training import History
from edgphys.edg.recipes import RECIPES
from edgphys.systems.base import AbstractSystem
from edgphys.systems.provenance import sample_attrs

__all__ = ["attrs_of_training", "history_dataset", "history_of_file"]


def history_dataset(
    history: History,
    about: Mapping[str, Any],
    recipe: AbstractRecipe,
    options: Mapping[str, Any],
    training: Mapping[str, Any],
) -> xr.Dataset:
    """All steps of a training, labelled.

    Parameters
    ----------
    history : History
    about : mapping
        Attributes of the system, as `AbstractSystem.attrs` gives them.
    recipe : AbstractRecipe
        Of the model.
    options, training : mapping
        Of the model, and what is told of its training.
    """
    n = len(history.losses)
    columns = {
        "bound": -np.asarray(history.losses, np.float64),
        "learning_rate": _whole(history.rates, n, np.nan),
        "stage": _whole(history.stages, n, 0.0),
    }
    words = {
        "bound": f"minus the training loss, one batch: {recipe.objective}",
        "learning_rate": "learning rate of Adam",
        "stage": "number of the stage of the training, from 0",
    }
    variables = {name: ("step", columns[name], {"definition": words[name]}) for name in columns}
    attrs = {
        **about,
        "kind": "history",
        "definition": words["bound"],
        "definitions": json.dumps(json.loads(about["definitions"]) | words),
        "bounds_log_z": int(recipe.bounds_log_z(options, str(training.get("training", "energy")))),
    }
    return xr.Dataset(variables, attrs=attrs)


def attrs_of_training(
    system: AbstractSystem, options: Mapping[str, Any], training: Mapping[str, Any]
) -> dict[str, Any]:
    """What a dataset says of a training of a system."""
    return sample_attrs(
        system,
        method="edg",
        seed=int(training.get("seed", 0)),
        wall_time=float(training.get("training_time", 0.0)),
        settings={**options, "training": dict(training)},
        n_energy_calls=int(training.get("n_energy_calls", 0)),
        n_gradient_calls=int(training.get("n_gradient_calls", 0)),
    )


def history_of_file(path: Path) -> xr.Dataset:
    """The training of a generator that `EDG.save` wrote, also of a system with a function of its own.

    Raises
    ------
    DatasetError
        If the file is missing, damaged, or of another kind or version.
    """
    content = storage.read_training(path)
    recipe, options, training = RECIPES[content.options["decoder"]], content.options, content.trained
    if content.system is None:
        about = {
            "schema_version": SCHEMA_VERSION,
            "method": "edg",
            "system": content.name,
            "definitions": "{}",
        }
        about |= {"parameters": json.dumps(content.parameters), "seed": int(training.get("seed", 0))}
    else:
        about = attrs_of_training(content.system, options, training)
    return history_dataset(content.history, about, recipe, options, training)


def _whole(values: list, n: int, before: float) -> np.ndarray:
    """As many as there are steps: trainings that older versions began lack the first."""
    return np.concatenate([np.full(n - len(values), before), np.asarray(values, np.float64)])
