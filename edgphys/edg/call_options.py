# SPDX-License-Identifier: MIT
"""Options of `EDG.fit` and `EDG.sample`: names, defaults and help in one place, checked when they are made.

Options of the model itself belong to the decoder that has them, see `edgphys.edg.recipes`. `split` tells all
three apart for callers that take them in one dictionary.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from edgphys._checks import choice, count, count_or, device, positive, share
from edgphys._sizes import at_most
from edgphys.edg.core.model_options import option, set_fields
from edgphys.errors import ArgumentTypeError, ArgumentValueError

__all__ = ["FitOptions", "SampleOptions", "names", "not_annealed", "split"]


@dataclass(frozen=True)
class FitOptions:
    """How a model is trained; `EDG.fit` documents each field. None leaves it to the decoder.

    Raises
    ------
    TypeError, ValueError
        If a value is not one of those allowed.

    Examples
    --------
    >>> FitOptions(n_steps=100).training
    'auto'
    """

    n_steps: int | None = option(None, "most optimiser steps")
    batch_size: int | None = option(None, "decoder samples per step, at least 3")
    learning_rate: float | None = option(None, "largest learning rate of Adam")
    path_share: float | None = option(None, "part of the run, at its end, spent on the path bound")
    annealing: float | None = option(
        None, "part of the run, at its beginning, in which the energy is scaled down"
    )
    patience: int | None = option(None, "steps without improvement after which the first part ends")
    device: str | None = option(None, "device of torch; a GPU when there is one")
    training: str = option("auto", "learn from the energy, from chains that are run first, or both in turn")

    def __post_init__(self) -> None:
        set_fields(
            self,
            n_steps=_count_or_none(self.n_steps, "n_steps", 0),
            batch_size=_count_or_none(self.batch_size, "batch_size", 3),
            learning_rate=None
            if self.learning_rate is None
            else positive(self.learning_rate, "learning_rate"),
            path_share=None if self.path_share is None else share(self.path_share, "path_share"),
            annealing=None if self.annealing is None else share(self.annealing, "annealing"),
            patience=_count_or_none(self.patience, "patience", 1),
        )
        device(self.device)
        choice(self.training, "training", ("auto", "energy", "chains", "both"))


@dataclass(frozen=True)
class SampleOptions:
    """How draws are weighted; `EDG.sample` documents each field.

    Raises
    ------
    TypeError, ValueError
        If a value is not one of those allowed.
    UnknownNameError
        If there are no such weights or divergence.

    Examples
    --------
    >>> SampleOptions(weights="ode", divergence="hutchinson").is_exact
    False
    """

    n_path_steps: int | None = option(None, "steps of the path that gives the weights")
    weights: str = option("path", "path, or ode for the probability flow")
    divergence: str = option("exact", "of the flow, for weights=ode: exact or hutchinson")
    n_probes: int = option(1, "probes per draw, for divergence=hutchinson")
    n_ode_steps: int = option(16, "steps of the flow, for weights=ode")
    n_anneal: int | None = option(None, "rungs from the system trained on to the system itself")
    n_views: int | str = option("auto", "sides from which each draw is weighed; auto: by a pilot")
    batch_size: int = option(1000, "draws at a time")

    def __post_init__(self) -> None:
        set_fields(
            self,
            n_path_steps=_count_or_none(self.n_path_steps, "n_path_steps", 1),
            n_probes=count(self.n_probes, "n_probes", 1),
            n_ode_steps=count(self.n_ode_steps, "n_ode_steps", 1),
            n_anneal=_count_or_none(self.n_anneal, "n_anneal", 0),
            n_views=count_or("auto", self.n_views, "n_views", 1),
            batch_size=count(self.batch_size, "batch_size", 1),
        )
        for name in ("n_path_steps", "n_probes", "n_ode_steps", "n_anneal", "n_views"):
            at_most(getattr(self, name), name)
        choice(self.weights, "weights", ("path", "ode"))
        choice(self.divergence, "divergence", ("exact", "hutchinson"))
        if self.weights == "ode" and self.n_views not in ("auto", 1):
            raise ArgumentValueError(f"n_views must be 1 for weights='ode', got {self.n_views}", "n_views")

    @property
    def is_exact(self) -> bool:
        """Whether exp(log weight) is unbiased; noise in the exponent makes it too large on average."""
        return self.weights == "path" or self.divergence == "exact"


def not_annealed(system_name: str, n_anneal: int | None) -> ArgumentValueError:
    """The refusal of rungs where draws have no easier system to begin from."""
    return ArgumentValueError(
        f"n_anneal must be 0 for the system {system_name}, got {n_anneal}; to anneal on a lattice, train at "
        "other couplings (train_at)",
        "n_anneal",
    )


def _count_or_none(value: Any, name: str, least: int) -> int | None:
    return None if value is None else count(value, name, least)


def names() -> frozenset[str]:
    """All options of `EDG(...)`, of `EDG.fit` and of `EDG.sample`.

    Examples
    --------
    >>> {"decoder", "n_steps", "n_views"} <= names()
    True
    """
    return frozenset(name for group in _known() for name in group)


def _known() -> list[Collection[str]]:
    from edgphys.edg.recipes import option_names

    return [option_names(), *([one.name for one in fields(kind)] for kind in (FitOptions, SampleOptions))]


def split(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Options of `EDG(...)`, of `EDG.fit` and of `EDG.sample`, told apart by name; values are checked.

    A name that two of them have belongs to the first: ``n_path_steps`` is the path that is trained, and its
    weights are those of the samples; ``batch_size`` is that of the training. Values of `EDG(...)` depend on
    the system and are checked there.

    Raises
    ------
    TypeError
        If there is no such option, or a value is of another type.
    ValueError, UnknownNameError
        If a value is not one of those allowed.

    Examples
    --------
    >>> split({"n_steps": 100, "decoder": "hamiltonian", "n_anneal": 20})
    ({'decoder': 'hamiltonian'}, {'n_steps': 100}, {'n_anneal': 20})
    """
    known = _known()
    parts: tuple[dict, dict, dict] = ({}, {}, {})
    for name, value in options.items():
        owner = next((part for part, names in zip(parts, known, strict=True) if name in names), None)
        if owner is None:
            words = ", ".join(sorted({name for names in known for name in names}))
            raise ArgumentTypeError(f"edg: unknown option {name!r}; there are {words}", "edg")
        owner[name] = value
    FitOptions(**parts[1])
    SampleOptions(**parts[2])
    return parts
