# SPDX-License-Identifier: MIT
"""`EDG`: train an energy-based diffusion generator on a system, draw weighted samples, get log Z.

    edg = EDG(system).fit(seed=0)
    samples = edg.sample(10_000, seed=1)          # independent draws with log_weight_joint, E[w] = Z
    chain = edg.chain(10_000, seed=2)             # Markov chain, exact whatever the network

A decoder turns Gaussian latents z into x in one shot; a diffusion model of z given x, its encoder, turns the
pair into a bound on log Z for training and into unbiased importance weights for sampling (see `objective` and
`path`).

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080 (Neural Networks 194 (2026) 108126).
"""

from __future__ import annotations

import functools
import json
import numbers
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from edgphys.edg import storage
from edgphys.edg.chain import accepted_indices
from edgphys.edg.model import EDGModel
from edgphys.edg.objective import continuous_bound, path_bound
from edgphys.edg.ode import ode_log_weights
from edgphys.edg.paper import paper_bound
from edgphys.edg.path import log_weights, reverse_log_weights
from edgphys.edg.targets import make_target
from edgphys.edg.training import Bound, History, TrainingSettings, train
from edgphys.errors import TrainingError, UnknownNameError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice_system import AbstractLatticeSystem
from edgphys.systems.provenance import sample_attrs, site_dims

__all__ = ["EDG"]

_CHAIN_WARM_UP = 0.1
# What the paper's form can be told, the default first.
_PAPER = {
    "schedule": ("sub-vp", "vp-linear"),
    "trace": ("hutchinson", "exact"),
    "time_proposal": ("learned", "uniform"),
}


class EDG:
    """Energy-based diffusion generator for one system.

    Parameters
    ----------
    system : AbstractSystem
        What is sampled.
    target : str, default "auto"
        Which exact partial sum is used, see `edgphys.edg.targets.target_names`: for Ising "decimation"
        (bipartite lattices) or "relaxation", for phi^4 "sublattice" (bipartite lattices) or "field".
    n_path_steps : int, default 8
        K of the path whose bound is trained and whose weights are the default.
    decoder_size, encoder_size : tuple of int, default (16, 3) each
        Channels and blocks of the two networks.
    form : {"angle", "paper"}
        "angle" is the default form (angle schedule, antithetic pairs, no derivative of the encoder); "paper"
        is the paper's own (score network with boundary interpolation in t/T). Both give the same kinds of
        weights.
    schedule : {"sub-vp", "vp-linear"}, default "sub-vp"
        Diffusion of the paper's form; only with ``form="paper"``.
    trace : {"hutchinson", "exact"}, default "hutchinson"
        Divergence of the score in training; only with ``form="paper"``.
    time_proposal : {"learned", "uniform"}, default "learned"
        Where the diffusion time is drawn from in training; only with ``form="paper"``.

    Attributes
    ----------
    system : AbstractSystem
    model : EDGModel
        Before `fit`, the Hartree start: a Gaussian sampler whose weights are already unbiased.
    history : Dataset
        Minus the loss at every step, a noisy lower bound on log Z; empty before `fit`.

    Raises
    ------
    TypeError
        If `system` is no system.
    UnknownNameError
        If there is no such target.
    ValueError
        If a size is not positive, or an option is not one of those listed.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> edg = EDG(Ising(lattices.build("chain", (6,)), temperature=2.0)).fit(seed=0, n_steps=2)
    >>> samples = edg.sample(100, seed=1)
    >>> dict(samples.sizes), "log_weight_joint" in samples
    ({'draw': 100}, True)
    """

    def __init__(
        self,
        system: AbstractSystem,
        *,
        target: str = "auto",
        n_path_steps: int = 8,
        decoder_size: tuple[int, int] = (16, 3),
        encoder_size: tuple[int, int] = (16, 3),
        form: str = "angle",
        schedule: str | None = None,
        trace: str | None = None,
        time_proposal: str | None = None,
    ) -> None:
        if not isinstance(system, AbstractSystem):
            raise TypeError(f"system must be a system of edgphys.systems, got {type(system).__name__}")
        if not isinstance(system, AbstractLatticeSystem):
            name = type(system).__name__
            raise TypeError(f"system must live on a lattice for EDG, got {name}; edgphys.mcmc samples it")
        self.system = system
        self.options = {
            "target": target,
            "n_path_steps": _count(n_path_steps, "n_path_steps", 1),
            "decoder_size": _size(decoder_size, "decoder_size"),
            "encoder_size": _size(encoder_size, "encoder_size"),
            "form": _choice(form, "form", ("angle", "paper")),
        }
        paper = {"schedule": schedule, "trace": trace, "time_proposal": time_proposal}
        for name, value in paper.items():
            if form == "paper":
                self.options[name] = _choice(value or _PAPER[name][0], name, _PAPER[name])
            elif value is not None:
                raise ValueError(f"{name} belongs to form='paper', got {name}={value!r} with form={form!r}")
        self._trained: dict[str, Any] = {}
        self._history = History()
        self.model = self._build(seed=0)

    def _build(self, seed: int) -> EDGModel:
        target = make_target(self.system, self.options["target"])
        sizes = {key: self.options[key] for key in ("n_path_steps", "decoder_size", "encoder_size")}
        return EDGModel(target, seed=seed, schedule=self.options.get("schedule", "angle"), **sizes)

    def _first_bound(self, model: EDGModel) -> Bound:
        """The continuous-time bound of the chosen form."""
        if self.options["form"] == "angle":
            return continuous_bound
        encoder = model.encoder
        proposal = encoder.proposal if self.options["time_proposal"] == "learned" else None
        return functools.partial(
            paper_bound, schedule=encoder.schedule, divergence=self.options["trace"], proposal=proposal
        )

    @property
    def history(self) -> xr.Dataset:
        """Minus the loss at every training step: a noisy lower bound on log Z, dim ``step``."""
        attrs = {"definition": "minus the training loss, one batch: a lower bound on log_z up to its noise"}
        return xr.Dataset({"bound": ("step", -np.asarray(self._history.losses))}, attrs=attrs)

    def fit(
        self,
        seed: int,
        n_steps: int | None = None,
        batch_size: int | None = None,
        *,
        learning_rate: float = 3e-3,
        path_share: float | None = None,
        patience: int = 500,
        device: str | torch.device | None = None,
        progress: bool | None = None,
        checkpoint: str | Path | None = None,
    ) -> EDG:
        """Train from the Hartree start; returns self.

        Parameters
        ----------
        seed : int
            Of weights and batches.
        n_steps : int, optional
            Most optimiser steps. Default: enough for a small lattice, more near order, see `default_steps`.
        batch_size : int, optional
            Decoder samples a step, at least one a label; default 128.
        learning_rate : float
            Largest, of Adam.
        path_share : float, optional
            Part of the run, at its end, spent on the K-step path bound, in [0, 1]. Default: 0.5, and 0 for
            the paper's form, which has no such part.
        patience : int
            The first part ends early when the bound has not improved over so many steps.
        device : str or torch.device, optional
            Default: a GPU when there is one.
        progress : bool, optional
            Bar on stderr. Default: when stderr is a terminal.
        checkpoint : path, optional
            File that keeps the state; a run that was killed goes on from it to the same result.

        Raises
        ------
        TrainingError
            If the energy or the loss is not finite, or the checkpoint belongs to another run.
        """
        settings = TrainingSettings(
            n_steps=self.default_steps() if n_steps is None else _count(n_steps, "n_steps", 0),
            batch_size=128 if batch_size is None else _count(batch_size, "batch_size", 3),
            learning_rate=_positive(learning_rate, "learning_rate"),
            path_share=_share(0.5 * (self.options["form"] == "angle"), "path_share")
            if path_share is None
            else _share(path_share, "path_share"),
            max_gradient=5.0,
            averaging=0.99,
            patience=_count(patience, "patience", 1),
            seed=_count(seed, "seed", 0),
            subject=self._subject(),
        )
        path = None if checkpoint is None else _check_folder(Path(checkpoint), "checkpoint")
        _check_energy(self.system)
        start = time.perf_counter()
        model = self._build(settings.seed).to(_device(device))
        with _progress_bar(settings.n_steps, progress) as on_step:
            first = self._first_bound(model)
            history = train(model, settings, first, path_bound, checkpoint=path, on_step=on_step)
        self.model, self._history = model.eval(), history
        self._trained = {
            "seed": settings.seed,
            "n_steps": len(history.losses),
            "batch_size": settings.batch_size,
            "learning_rate": settings.learning_rate,
            "path_share": settings.path_share,
            "plateau_step": history.plateau_step,
            "training_time": time.perf_counter() - start,
            "n_gradient_calls": len(history.losses) * settings.batch_size,
        }
        return self

    def _subject(self) -> str:
        """What a checkpoint belongs to, to the last digit of the couplings."""
        lattice = self.system.lattice
        geometry = [lattice.name, list(lattice.extent), [int(periodic) for periodic in lattice.pbc]]
        return json.dumps([self.system.name, geometry, self.system.parameters, _plain(self.options)])

    def default_steps(self) -> int:
        """Optimiser steps that `fit` takes unless told: 600 up to 64 sites, growing with the square root."""
        return int(min(4000, 600 * max(1.0, (self.system.n_sites / 64.0) ** 0.5)))

    def sample(
        self,
        n_samples: int,
        seed: int,
        *,
        n_path_steps: int | None = None,
        keep: bool = False,
        weights: str = "path",
        divergence: str = "exact",
        n_probes: int = 1,
        n_ode_steps: int = 16,
        batch_size: int = 1000,
        progress: bool | None = None,
    ) -> xr.Dataset:
        """Independent draws with importance weights.

        Parameters
        ----------
        n_samples : int
            At least 1.
        seed : int
        n_path_steps : int, optional
            K of the path weights; unbiased for every K. Default: the one trained.
        keep : bool
            Keep the configurations.
        weights : {"path", "ode"}
            "path": K encoder calls, strictly unbiased. "ode": the paper's probability-flow integral
            (torchdiffeq, rk4), unbiased up to the step; hundreds of times dearer, for comparison.
        divergence : {"exact", "hutchinson"}
            Of the flow, for "ode". With "hutchinson" the exponent is noisy: `estimate` refuses such samples,
            because E[exp(noise)] > 1 would pass for free energy.
        n_probes : int
            Rademacher probes a draw, for "hutchinson".
        n_ode_steps : int
            Steps in the angle, for "ode".
        batch_size : int
            Draws at a time; part of what the seed means.
        progress : bool, optional
            Bar on stderr. Default: when stderr is a terminal.

        Returns
        -------
        Dataset
            Dim ``draw``: observables, ``reduced_energy`` (of the configuration) and ``log_weight_joint``,
            float64; ``configurations`` with `keep`.
        """
        n_samples = _count(n_samples, "n_samples", 1)
        n_steps = (
            self.options["n_path_steps"] if n_path_steps is None else _count(n_path_steps, "n_path_steps", 1)
        )
        batch_size = _count(batch_size, "batch_size", 1)
        ode = None
        if _choice(weights, "weights", ("path", "ode")) == "ode":
            _choice(divergence, "divergence", ("exact", "hutchinson"))
            ode = {"divergence": divergence, "n_steps": _count(n_ode_steps, "n_ode_steps", 1)}
            ode |= {"n_probes": _count(n_probes, "n_probes", 1)} if divergence == "hutchinson" else {}
        start = time.perf_counter()
        generator = torch.Generator(device=self.model.device).manual_seed(_count(seed, "seed", 0))
        log_w, configurations = [], []
        with _progress_bar(n_samples, progress) as on_step:
            for first in range(0, n_samples, batch_size):
                size = min(batch_size, n_samples - first)
                batch_log_w, batch = self._weighted_batch(size, n_steps, ode, generator)
                log_w.append(batch_log_w.cpu())
                configurations.append(batch.cpu())
                on_step(first + size, 0.0)
        settings = {"n_samples": n_samples, "batch_size": batch_size, "weights": weights}
        samples = self._dataset(
            torch.cat(configurations),
            {"log_weight_joint": torch.cat(log_w).numpy()},
            method="edg",
            seed=seed,
            settings=settings | ({"n_path_steps": n_steps} if ode is None else ode),
            start=start,
            keep=keep,
        )
        samples.attrs["log_weight_exact"] = int(ode is None or divergence == "exact")
        return samples

    @torch.no_grad()
    def _weighted_batch(
        self, size: int, n_steps: int, ode: dict[str, Any] | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        draw = self.model.draw(size, generator)
        log_density, configurations = self.model.target.lift(draw.x, generator)
        if ode is not None:
            return ode_log_weights(self.model, draw, log_density, generator, **ode), configurations
        return log_weights(self.model, draw, log_density, n_steps, generator), configurations

    def chain(
        self,
        n_samples: int,
        seed: int,
        *,
        n_chains: int = 4,
        n_path_steps: int | None = None,
        keep: bool = False,
        progress: bool | None = None,
    ) -> xr.Dataset:
        """Independence Metropolis on the joint space, exact for any network; see `edgphys.edg.chain`.

        Parameters
        ----------
        n_samples : int
            States kept, over all chains, a multiple of `n_chains`; a tenth more is drawn and discarded as
            warm-up.
        seed : int
        n_chains : int
            Each with its own proposals.
        n_path_steps, keep, progress
            As for `sample`.

        Returns
        -------
        Dataset
            Dims ``(chain, draw)``, observables and ``reduced_energy``; ``acceptance`` in the settings.
        """
        n_samples, n_chains = _count(n_samples, "n_samples", 1), _count(n_chains, "n_chains", 1)
        if n_samples % n_chains:
            raise ValueError(f"n_samples must be a multiple of n_chains = {n_chains}, got {n_samples}")
        start = time.perf_counter()
        n_draws = n_samples // n_chains
        n_warmup = max(10, int(_CHAIN_WARM_UP * n_draws))
        proposals = self.sample(
            n_chains * (n_warmup + n_draws), seed, n_path_steps=n_path_steps, keep=True, progress=progress
        )
        shape = (n_chains, n_warmup + n_draws)
        log_w = proposals["log_weight_joint"].to_numpy().reshape(shape)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        states = accepted_indices(log_w, rng)
        kept = states[:, n_warmup:] + shape[1] * np.arange(n_chains)[:, None]
        accepted = np.diff(states[:, n_warmup - 1 :], axis=1) != 0
        chosen = torch.from_numpy(proposals["configurations"].to_numpy()[kept.ravel()])
        settings = json.loads(proposals.attrs["settings"]) | {"n_samples": n_samples, "n_chains": n_chains}
        settings |= {"n_warmup": n_warmup, "acceptance": float(accepted.mean())}
        chain = self._dataset(
            chosen.flatten(1),
            {},
            method="edg_chain",
            seed=seed,
            settings=settings,
            start=start,
            keep=keep,
            chains=(n_chains, n_draws),
        )
        chain.attrs["n_energy_calls"] = proposals.attrs["n_energy_calls"]  # with the warm-up
        return chain

    def upper_bound(self, reference: xr.Dataset, seed: int, *, n_path_steps: int | None = None) -> xr.Dataset:
        """Upper bound on log Z from reference samples sent backwards through the encoder.

        With the lower bound (``elbo``) it sandwiches log Z, and reveals modes that the decoder dropped, which
        no effective sample size of its own draws can.

        Parameters
        ----------
        reference : Dataset
            MCMC samples of the same system with ``configurations`` (``keep=True``), dims (chain, draw, ...).
        seed : int
        n_path_steps : int, optional
            As for `sample`.

        Returns
        -------
        Dataset
            Dims (chain, draw): ``log_weight_reverse``, whose average is the bound.

        Raises
        ------
        ValueError
            If `reference` has no configurations, or they are of another size or system.
        """
        if "configurations" not in reference:
            raise ValueError("reference must have the variable configurations (run with keep=True), got none")
        n_steps = (
            self.options["n_path_steps"] if n_path_steps is None else _count(n_path_steps, "n_path_steps", 1)
        )
        values = reference["configurations"].transpose("chain", "draw", ...).to_numpy()
        sizes = values.shape[:2]
        if values[0, 0].size != self.system.n_sites:
            raise ValueError(
                f"reference must have {self.system.n_sites} sites a draw, got {values[0, 0].size}"
            )
        of = [reference.attrs.get(name) for name in ("system", "parameters")]
        if of != [self.system.name, json.dumps(self.system.parameters)]:
            raise ValueError(
                f"reference must be of {self.system!r}, got samples of {of[0]} with parameters {of[1]}"
            )
        generator = torch.Generator(device=self.model.device).manual_seed(_count(seed, "seed", 0))
        parts = []
        flat = values.reshape(-1, self.system.n_sites)
        for block in np.array_split(flat, max(1, len(flat) // 1000)):
            states = torch.tensor(block, dtype=torch.float32, device=self.model.device)
            x, log_density = self.model.target.lower(states, generator)
            parts.append(reverse_log_weights(self.model, x, log_density, n_steps, generator).cpu())
        log_w = torch.cat(parts).numpy().reshape(sizes)
        attrs = {"definition": "log weight along the encoder's path; its mean is an upper bound on log_z"}
        return xr.Dataset({"log_weight_reverse": (("chain", "draw"), log_w)}, attrs=attrs)

    def _dataset(
        self,
        configurations: Tensor,
        more: dict[str, np.ndarray],
        *,
        method: str,
        seed: int,
        settings: dict[str, Any],
        start: float,
        keep: bool,
        chains: tuple[int, int] | None = None,
    ) -> xr.Dataset:
        """Measure flat configurations and wrap everything; `chains` splits the draws into (chain, draw)."""
        system, dims = self.system, ("draw",) if chains is None else ("chain", "draw")
        shape = (len(configurations),) if chains is None else chains
        observables = system.measure(configurations)
        # In units of k_B T: the exponent that a Monte Carlo of the configurations would see.
        columns = {**observables, "reduced_energy": system.beta * observables["energy"], **more}
        variables = {name: (dims, values.reshape(shape)) for name, values in columns.items()}
        if keep:
            kept = configurations.numpy().reshape(*shape, *system.event_shape)
            variables["configurations"] = ((*dims, *site_dims(system.lattice)), kept)
        attrs = sample_attrs(
            system,
            method=method,
            seed=int(seed),
            wall_time=time.perf_counter() - start,
            settings={**_plain(self.options), **settings, "training": self._trained},
            n_energy_calls=int(settings["n_samples"]) + int(self._trained.get("n_gradient_calls", 0)),
            n_gradient_calls=int(self._trained.get("n_gradient_calls", 0)),
        )
        return xr.Dataset(variables, attrs=attrs)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write system, options and weights to one file.

        Raises
        ------
        FileExistsError
            If the file exists and `overwrite` is not set.
        ValueError
            If the folder does not exist.
        """
        path = _check_folder(Path(path), "path")
        if path.exists() and not overwrite:
            raise FileExistsError(f"path: {path} exists; name another file or pass overwrite=True")
        storage.write(path, self.system, _plain(self.options), self._trained, self._history, self.model)

    @classmethod
    def load(cls, path: str | Path, *, device: str | torch.device | None = None) -> EDG:
        """The sampler that `save` wrote.

        Raises
        ------
        DatasetError
            If there is no such file or it is not one of ours.
        """
        content = storage.read(Path(path))
        edg = cls(content.system, **content.options)
        edg._trained, edg._history = content.trained, content.history
        edg.model.load_state_dict(content.weights)
        edg.model = edg.model.to(_device(device)).eval()
        return edg


def _count(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer >= {least}, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value}")
    return int(value)


def _size(value: Any, name: str) -> tuple[int, int]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be two integers (channels, blocks), got {value!r}")
    return _count(value[0], name, 1), _count(value[1], name, 1)


def _positive(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0.0 < value < float("inf"):
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return float(value)


def _share(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {value!r}")
    return float(value)


def _choice(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise UnknownNameError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device must be one that torch has here, got {device!r}") from error
    return chosen


def _check_folder(path: Path, name: str) -> Path:
    if not path.parent.is_dir():
        raise ValueError(f"{name}: the folder {path.parent} does not exist")
    return path


def _check_energy(system: AbstractSystem) -> None:
    """What the system hands back, checked once: shape and finiteness of the energy."""
    x = torch.zeros(2, system.n_sites)
    x[1] = 0.5
    energy = system.reduced_energy(x.reshape(2, *system.event_shape))
    if not isinstance(energy, Tensor) or energy.shape != (2,):
        shape = tuple(energy.shape) if isinstance(energy, Tensor) else type(energy).__name__
        raise TrainingError(f"reduced_energy of {system.name} must give shape (n_batch,) = (2,), got {shape}")
    if not bool(torch.isfinite(energy).all()):
        raise TrainingError(f"reduced_energy of {system.name} must be finite, got {energy.tolist()}")


@contextmanager
def _progress_bar(total: int, progress: bool | None) -> Iterator[Callable[[int, float], None]]:
    """A function to call with (done, loss); silent without a terminal unless asked for."""
    if progress is None:
        progress = os.isatty(2)
    if not progress:
        yield lambda done, loss: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def on_step(done: int, loss: float) -> None:
            description = f"bound {-loss:.2f}" if loss else "draws"
            bar.update(task, completed=done, description=description)

        yield on_step
