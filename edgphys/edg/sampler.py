# SPDX-License-Identifier: MIT
"""`EDG`: train an energy-based diffusion generator on a system, draw weighted samples, get log Z.

    edg = EDG(system).fit(seed=0)
    samples = edg.sample(10_000, seed=1)          # independent draws with log_weight_joint, E[w] = Z
    chain = edg.chain(10_000, seed=2)             # Markov chain, exact whatever the network

A decoder turns Gaussian latents z into x in one shot; a diffusion model of z given x, its encoder, turns the
pair into a bound on log Z for training and into unbiased importance weights for sampling (see
`edgphys.edg.core.bounds` and `edgphys.edg.core.path`). On lattices most sites, or all, are drawn from local
laws of known density instead, which leave nothing to infer (`edgphys.edg.refinement`).

The class documents and delegates: models are built by `edgphys.edg.recipes`, trained by
`edgphys.edg.fitting`, and drawn from by `edgphys.edg.weights`. The file is long for its docstrings: all that
a user can ask of a generator is explained in one place.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080 (Neural Networks 194 (2026) 108126).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
import xarray as xr
from torch import Tensor

from edgphys import _checks
from edgphys._files import check_target
from edgphys._threads import torch_threads
from edgphys.edg import storage
from edgphys.edg.call_options import FitOptions, SampleOptions
from edgphys.edg.core.conditions import Conditions
from edgphys.edg.core.model import AbstractEDGModel, AbstractGenerator
from edgphys.edg.core.recipe import AbstractRecipe
from edgphys.edg.core.training import History
from edgphys.edg.curve import draw_curve
from edgphys.edg.fitting import fit_model
from edgphys.edg.history import attrs_of_training, history_dataset
from edgphys.edg.origin import Origin
from edgphys.edg.recipes import reason_for, recipe_for
from edgphys.edg.targets.base import Calls
from edgphys.edg.targets.eased import towards
from edgphys.edg.trained import TrainedModel
from edgphys.edg.weights.bridge import bridge
from edgphys.edg.weights.chain import independence_chain
from edgphys.edg.weights.upper_bound import upper_bound
from edgphys.edg.weights.weighted_draws import draw_samples
from edgphys.errors import ArgumentValueError
from edgphys.recording.plain_values import plain
from edgphys.recording.record import current, recorded, unrecorded
from edgphys.systems.base import AbstractSystem, check_system

__all__ = ["EDG"]


class EDG:
    """Energy-based diffusion generator for one system.

    All options are keywords. Those after `decoder` belong to the decoders that have them; the records of
    these (`FieldOptions`, `MixtureOptions`, `HamiltonianOptions`, `ParticleOptions`, `RefinementOptions`,
    `GrowthOptions`) check them.

    Parameters
    ----------
    system : AbstractSystem
        What is sampled.
    decoder : str, default "auto"
        "refinement" for spins, phi^4 fields, states and angles on lattices, from coarse to fine; "field" for
        other lattice systems, and where `target` or another option is one of its own; "growth" for clusters
        of up to three dimensions, placed particle by particle; "particles" for clusters over a range of
        couplings, and where an option is one of its own; "mixture" for other continuous systems; "mixture"
        and "hamiltonian" (GHD) serve every differentiable system, without its symmetries. Where there was a
        choice the attribute ``decoder_reason`` of datasets says why.
    conditions : dict of str to (float, float), optional
        Ranges of couplings, such as ``{"temperature": (1.8, 3.2)}``, for which one model is trained; names
        are those of ``system.conditions``. It is then asked at one of them, `at` or ``sample(...,
        temperature=2.4)``; by default at that of `system`. "refinement" with an autoregressive root,
        "mixture", "hamiltonian" and "particles" take them; "particles", and all where `train_at` names them,
        train at one value, from which draws are annealed.
    start : EDG, optional
        "refinement": a trained sampler of another size or coupling, from whose laws training starts.
    n_threads : int, default 1
        Threads of torch within an operation on the CPU, in all that this sampler does; afterwards torch has
        its own number again. More pay only on a machine without other work, and change the last digits, see
        `edgphys._threads`.
    target : str, default "auto"
        "field": which exact partial sum is used, see `edgphys.edg.targets.registry.target_names`: for Ising
        "decimation" (bipartite lattices) or "relaxation", for phi^4 "sublattice" (bipartite lattices) or
        "field". "refinement" and "growth" choose the decoder of that name.
    n_path_steps : int, default 8
        K of the path whose bound is trained and whose weights are the default; 1 for an autoregressive root.
    decoder_size, encoder_size : tuple of int
        Channels (width) and blocks (depth) of the two networks; default (16, 3) each on lattices, (64, 2)
        for "mixture" and "hamiltonian", (8, 8) and (16, 2) for "particles". For "refinement" the first are
        hidden units of the laws and of the root, (48, 64), the second those of an EDG root, (16, 2); for
        "growth" hidden units of the laws and their layers, (64, 2), the second have no meaning.
    radius : float, default 4
        "refinement": of the window that the law of a site sees, in units of the spacing of its level.
    levels : {"halved", "one"}
        "refinement": sites drawn from coarse to fine, or, up to 256 of them, one after the other, each from
        a network of its own. Default: "one" where couplings differ from cell to cell and, of Ising spins,
        where bonds of several kinds compete (J1-J2); else "halved".
    root : {"autoregressive", "edg"}
        "refinement": how the coarsest sites are drawn, one after the other or by an EDG of their own.
    n_trials, n_picks : int, default 256 and 32
        "growth": trial positions of a particle, on average over the particles, and those that the network
        sees. More cost in proportion and take noise out of the weights.
    n_components : int, default 256
        "mixture", "hamiltonian": most components of the Gaussian mixture that the decoder starts from; fewer
        if nine tenths of its draws are effective with fewer. 1 leaves everything to the networks.
    n_blocks : int
        "mixture": blocks of variables with one law, which share networks and mixture (the pairs of the
        many-well energy); default: what the system declares.
    n_leapfrog : int
        Steps of Hamiltonian dynamics in the decoder: "hamiltonian", default 4; "particles", after the pair
        flows, default 0.
    encoder : {"diffusion", "gaussian"}
        "mixture", "hamiltonian": "gaussian" is the encoder of a variational autoencoder, for comparison.
    train_at : dict of str to float
        Continuous systems and "refinement": parameters at which training sees the system, such as a higher
        ``temperature`` or a softened ``core``; by default, for "particles", the ``easy_parameters`` of the
        system. The weights always take the system as it is, to which `sample` anneals the draws
        (``n_anneal``).
    form : {"angle", "paper"}
        Lattices: "angle" is the default form (angle schedule, antithetic pairs, no derivative of the
        encoder); "paper" is the paper's own (score network with boundary interpolation in t/T). Both give
        the same kinds of weights.
    schedule : {"sub-vp", "vp-linear"}, default "sub-vp"
        Diffusion of the paper's form; only with ``form="paper"``.
    trace : {"hutchinson", "exact"}, default "hutchinson"
        Divergence of the score in training; only with ``form="paper"``.
    time_proposal : {"learned", "uniform"}, default "learned"
        Where the diffusion time is drawn from in training; only with ``form="paper"``.

    Attributes
    ----------
    system : AbstractSystem
    n_threads : int
    options : dict
        Those above that the decoder has, with their defaults.
    model : AbstractGenerator
        Before `fit`, the physical start (sites without neighbours for "refinement", Hartree for "field", a
        Gaussian mixture for few variables), whose weights are already unbiased.
    history : Dataset
        Of kind "history": minus the loss at every step, ``bound``, a noisy lower bound on log Z, with the
        learning rate and the stage; empty before `fit`.

    Raises
    ------
    ArgumentTypeError
        If `system` is no system, or there is no such option.
    UnknownNameError
        If there is no such target or decoder.
    ArgumentValueError
        If a size is not positive, or an option is not one of those listed, or belongs to another decoder.

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
        decoder: str = "auto",
        start: EDG | None = None,
        n_threads: int = 1,
        **options: Any,
    ) -> None:
        self.system, self.n_threads = check_system(system), _checks.count(n_threads, "n_threads", 1)
        self._recipe, self._options = recipe_for(system, {"decoder": decoder, **options})
        self._reason = reason_for(system, {"decoder": decoder, **options}, self._recipe, self._options)
        self._start = None if start is None else _start_of(start, self._recipe)
        self.options = self._recipe.described(self._options)
        self._conditions = Conditions(self._options.conditions or {})
        self._training: dict[str, Any] = {}
        self._history = History()
        self._model: AbstractGenerator | None = None
        given = {"decoder": decoder, "start": start, "n_threads": n_threads, **options}
        self._origin = Origin(system, given)

    def _build(self, seed: int, weights: dict[str, Tensor] | None = None) -> AbstractGenerator:
        return self._recipe.build(self.system, self._options, seed, weights)

    @property
    def model(self) -> AbstractGenerator:
        """Decoder and encoder; built from seed 0 if `fit` has not been called."""
        if self._model is None:
            with torch_threads(self.n_threads):
                self._model = self._build(seed=0)
        return self._model

    @property
    def conditions(self) -> dict[str, tuple[float, float]]:
        """Ranges of the couplings that the model is for; empty if it is for those of the system alone."""
        return dict(self._conditions.ranges)

    def at(self, **couplings: float) -> EDG:
        """The same sampler with `system` at other couplings of its range; they share the model.

        Raises
        ------
        ArgumentTypeError
            If one of them is no condition of the sampler.
        ArgumentValueError
            If one is outside the range.

        Examples
        --------
        >>> import lattices
        >>> from edgphys.systems import Ising
        >>> system = Ising(lattices.build("chain", (6,)), temperature=2.0)
        >>> EDG(system, conditions={"temperature": (1.0, 3.0)}).at(temperature=1.5).system.temperature
        1.5
        """
        if not couplings:
            return self
        changed = self.system.replace(**self._conditions.couplings(self.system, couplings))
        other = self._with(changed.observing(self.system.own_observables))
        other._origin = self._origin.moved(couplings)
        return other

    def _with(self, system: AbstractSystem) -> EDG:
        """The same model for `system`."""
        other = copy.copy(self)
        other.system, other._model = system, self.model
        return other

    @property
    def earlier_time(self) -> float:
        """Seconds of the runs of `fit` that were stopped before the last, up to their checkpoints."""
        return self._history.earlier_time

    @property
    def can_anneal(self) -> bool:
        """Whether draws can be annealed (``n_anneal``): always but on lattices without `train_at`."""
        return self.system.lattice is None or self._options.is_eased

    @property
    @recorded("EDG.history")
    def history(self) -> xr.Dataset:
        """The training as a dataset of kind "history", dim ``step``, see `edgphys.edg.history`."""
        options = _plain(self.options)
        about = attrs_of_training(self.system, options, self._training)
        return history_dataset(self._history, about, self._recipe, options, self._training)

    @property
    def _trained(self) -> TrainedModel:
        current().note({**self._origin.settings, "n_threads": self.n_threads})
        counted = {name: self._training.get(name, 0) for name in ("n_energy_calls", "n_gradient_calls")}
        calls = Calls(**counted) if self._training else self.model.target.calls
        settings = _plain(self.options) | {"training": self._training}
        couplings = self._conditions.couplings(self.system, {})
        # Without conditions the model is an ordinary one.
        model = self.model.at_couplings(couplings) if couplings else cast(AbstractEDGModel, self.model)
        if self._recipe.trained_system(self.system, self._options) is not self.system:
            model = towards(model, self.system)
        is_eased = self._options.is_eased
        return TrainedModel(self.system, self._options, settings, model, calls, self._reason, is_eased)

    def _annealed(self, anneal_from: Mapping[str, float], couplings: Mapping[str, float]) -> TrainedModel:
        """The sampler at `anneal_from`, on its way to the system at `couplings`, in the range or not."""
        _checks.instance(anneal_from, "anneal_from", Mapping, "a dict from names of conditions to numbers")
        if self.system.lattice is None:
            raise ArgumentValueError(
                f"anneal_from must be None for {self.system.name}, on no lattice, got {anneal_from!r}",
                "anneal_from",
            )
        self._conditions.check_names(couplings)
        system = self.system.replace(**couplings)
        return self.at(**anneal_from)._trained.towards(system, anneal_from)

    def fit(
        self,
        seed: int,
        n_steps: int | None = None,
        batch_size: int | None = None,
        *,
        reference: xr.Dataset | None = None,
        training: str = "auto",
        learning_rate: float | None = None,
        path_share: float | None = None,
        annealing: float | None = None,
        patience: int | None = None,
        device: str | torch.device | None = None,
        progress: bool | None = None,
        checkpoint: str | Path | None = None,
    ) -> EDG:
        """Train from the physical start; returns self.

        Parameters
        ----------
        seed : int
            Of weights and batches.
        n_steps : int, optional
            Most optimiser steps. Default: enough for a small system, see `default_steps`.
        batch_size : int, optional
            Decoder samples in a step, at least one per label; default 128, for few variables 256. For
            "refinement" configurations of the reference, default 8 to 128 by the size of the lattice, or
            samples of the laws, 32 to 256, for training="energy"; for "growth" 8 to 128 clusters by their
            size.
        reference : Dataset, optional
            "refinement", "growth": MCMC samples of the system with ``configurations`` (``keep=True``), dims
            (chain, draw, ...), from which root and laws are learned.
        training : {"auto", "chains", "energy", "both"}
            "refinement", "growth": "chains", the default, learns from `reference`, or without it from the
            package's own chains, which it runs; "energy" from the energy alone; "both" from chains first. All
            other decoders learn from the energy.
        learning_rate : float, optional
            Largest, of Adam. Default: 3e-3; 0.02 for "refinement", 6e-3 for "growth".
        path_share : float, optional
            Part of the run, at its end, spent on the K-step path bound, in [0, 1]. Default: 0.5, and 0 for
            the paper's form and an autoregressive root, which have no such part.
        annealing : float, optional
            Part of the run, at its beginning, in which the energy is scaled by a factor that rises from 0.1
            to 1, in [0, 1]. Default: 0; 0.4 for "refinement" and "growth".
        patience : int, optional
            The first part ends early when the bound has not improved over so many steps. Default: 500; never
            for "particles", "growth" and "refinement".
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
        options = FitOptions(
            n_steps=n_steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            path_share=path_share,
            annealing=annealing,
            patience=patience,
            device=device,  # pyright: ignore[reportArgumentType]
            training=training,
        )
        with torch_threads(self.n_threads), unrecorded() as notes:
            fitted = fit_model(
                self.system,
                self._recipe,
                self._options,
                seed,
                options,
                checkpoint=checkpoint,
                progress=progress,
                reference=reference,
                start=self._start,
            )
        self._model, self._history, self._training = fitted.model, fitted.history, fitted.training
        self._origin = self._origin.trained(self.system, seed, options, reference, notes.settings)
        return self

    def default_steps(self) -> int:
        """Optimiser steps that `fit` takes unless told.

        On lattices 600 up to 64 sites, growing with the square root; for "refinement" 1000 up to 256 sites,
        growing with the fourth root, three times as many with an EDG root, 1.5 times with conditions; 3000
        for "growth" up to 13 particles, growing with the square root.
        """
        return self._recipe.default_steps(self.system, self._options)

    @recorded("EDG.sample")
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
        n_anneal: int | None = None,
        anneal_from: Mapping[str, float] | None = None,
        n_views: int | str = "auto",
        batch_size: int = 1000,
        observables: Any = None,
        progress: bool | None = None,
        checkpoint: str | Path | None = None,
        **couplings: float,
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
            Rademacher probes per draw, for "hutchinson".
        n_ode_steps : int
            Steps in the angle, for "ode".
        n_anneal : int
            Rungs of annealed importance sampling from the system at `train_at` to the system itself, see
            `edgphys.mcmc.annealing.ladder`: an HMC trajectory each, on lattices a sweep of the best algorithm
            of `edgphys.mcmc`; 0 weighs the draws themselves. Default: as many as bring the variance of log w
            along the ladder to 0.25, at most 4000 (their number is in the settings), and 0 where `train_at`
            changes nothing. `edgphys.mcmc.anneal` does it without a generator, for comparison.
        anneal_from : dict of str to float, optional
            Lattices, for a sampler with `conditions`: couplings of its range where the draws begin, as with
            `train_at`; they are annealed to those asked for, which may lie outside of the range.
        n_views : int or "auto"
            Sides from which each draw is weighed: symmetry element, label, latents and internal spins drawn
            anew, see `edgphys.edg.weights.views`. Exact for any number; more raise the effective sample size
            and the bound, each at the cost of one way back through the encoder. Only for path weights.
            "auto" takes from 1 to 16, whichever has the least variance for its cost in a pilot of at most 256
            draws, see `edgphys.edg.weights.number_of_views`; 8 without a pilot for annealed draws and for
            fewer than 512; 1 for "ode". The number is in the settings, ``n_views``, with ``n_views_from``.
            With "auto" a pilot also chooses how often each label is drawn, ``label_shares``.
        batch_size : int
            Draws at a time; part of what the seed means.
        observables : observable of one's own, function, or sequence of them, optional
            Measured on every draw too, see `edgphys.observable`.
        progress : bool, optional
            Bar on stderr. Default: when stderr is a terminal.
        checkpoint : path, optional
            File that keeps what is drawn and the state, renewed twice a minute, between two batches, and on
            Ctrl-C. If it is there, the same call goes on from it, to the same bits; it is left where it is.
        **couplings : float
            Where a sampler with `conditions` is asked, see `at`.

        Returns
        -------
        Dataset
            Dim ``draw``: observables, ``reduced_energy`` (of the configuration) and ``log_weight_joint``,
            float64; ``configurations`` with `keep`. attrs ``n_sent_back`` and ``n_unseen``: of a tenth of the
            draws, moved by short chains of the target (``n_check_calls`` of the energy, which
            ``n_energy_calls`` leaves out), those that the encoder sends outside of what the decoder
            reaches, see `edgphys.edg.weights.round_trip`; `estimate` judges the weights by them
            too. With three or more views ``log_weight_variance_within`` draws, which more views take away,
            and ``log_weight_variance_between`` them, which only training does.
        """
        options = SampleOptions(
            n_path_steps=n_path_steps,
            weights=weights,
            divergence=divergence,
            n_probes=n_probes,
            n_ode_steps=n_ode_steps,
            n_anneal=n_anneal,
            n_views=n_views,
            batch_size=batch_size,
        )
        current().note(asdict(options))
        if anneal_from is None:
            trained = self.at(**couplings)._trained
        else:
            trained = self._annealed(anneal_from, couplings)
        trained = trained.observing(observables)
        with torch_threads(self.n_threads):
            return draw_samples(
                trained, n_samples, seed, options, keep=keep, progress=progress, checkpoint=checkpoint
            )

    @recorded("EDG.chain")
    def chain(
        self,
        n_samples: int,
        seed: int,
        *,
        n_chains: int = 4,
        n_path_steps: int | None = None,
        n_anneal: int | None = None,
        n_views: int | str = "auto",
        keep: bool = False,
        observables: Any = None,
        progress: bool | None = None,
        **couplings: float,
    ) -> xr.Dataset:
        """Independence Metropolis on the joint space, exact for any network; see `edgphys.edg.weights.chain`.

        Parameters
        ----------
        n_samples : int
            States kept, over all chains, a multiple of `n_chains`; a tenth more is drawn and discarded as
            warm-up.
        seed : int
        n_chains : int
            Each with its own proposals.
        n_path_steps, n_anneal, n_views, keep, observables, progress, **couplings
            As for `sample`.

        Returns
        -------
        Dataset
            Dims ``(chain, draw)``, observables and ``reduced_energy``; ``acceptance`` in the settings.
        """
        options = SampleOptions(n_path_steps=n_path_steps, n_anneal=n_anneal, n_views=n_views)
        trained = self.at(**couplings)._trained.observing(observables)
        with torch_threads(self.n_threads):
            return independence_chain(
                trained, n_samples, seed, options, n_chains=n_chains, keep=keep, progress=progress
            )

    @recorded("EDG.curve")
    def curve(
        self,
        values: Any,
        n_samples: int = 10_000,
        seed: int = 1,
        *,
        n_nodes: int = 24,
        n_path_steps: int | None = None,
        n_anneal: int | None = None,
        n_views: int | str = "auto",
        batch_size: int = 1000,
        observables: Any = None,
        progress: bool | None = None,
    ) -> xr.Dataset:
        """Estimates over a range of one coupling, at any number of values, from draws that serve them all.

        Draws are made at `n_nodes` couplings from the first to the last value, and each is weighed for every
        value, see `edgphys.estimators.curves.pooled`: unbiased at nodes and between, more precise than
        as many draws at single points, and smooth.

        Parameters
        ----------
        values : array, or dict of str to array
            Of the one coupling of `conditions`; a dict names one of several. Inside its range.
        n_samples : int
            In all, at least 16 for every node; as many as the nodes can share evenly are drawn.
        seed : int
        n_nodes : int
            Couplings at which to draw, equidistant in 1/T for a temperature; neighbours must overlap, which
            ``ess_count`` in between shows. One, if there is one value.
        n_path_steps, n_anneal, n_views, batch_size, observables, progress
            As for `sample`.

        Returns
        -------
        Dataset
            Of kind "curve". Dim of the name of the coupling, ascending: ``log_z``, ``free_energy``,
            ``energy`` and all else that `edgphys.estimate` gives, with ``<name>_err``, and the diagnostics of
            the weights; ``log_z_covariance`` and ``energy_covariance``, as values of the curve share their
            draws. The check: ``log_z_node`` and its slopes, ``derivative``, by the weights of each node
            alone, against the energies of all draws, ``derivative_average`` = -<dU/dc>, in units of the error
            of the difference; see `edgphys.estimators.curves.nodes`. attr ``warning``: why not to trust it.

        Raises
        ------
        ArgumentValueError
            If the sampler has no conditions, there are no values, or one is not finite or outside the range.

        Examples
        --------
        >>> import lattices
        >>> from edgphys.systems import Ising
        >>> system = Ising(lattices.build("chain", (6,)), temperature=2.0)
        >>> edg = EDG(system, conditions={"temperature": (1.5, 3.0)}).fit(seed=0, n_steps=2)
        >>> curve = edg.curve([1.5, 2.0, 2.5], 200, seed=1, n_nodes=3)
        >>> curve["energy"].dims, curve["log_z_covariance"].shape
        (('temperature',), (3, 3))
        """
        options = {"n_path_steps": n_path_steps, "n_anneal": n_anneal, "n_views": n_views}
        options |= {"batch_size": batch_size}
        with torch_threads(self.n_threads):
            return draw_curve(
                self._with(self.system.observing(observables)),
                values,
                n_samples,
                seed,
                n_nodes=n_nodes,
                options=options,
                progress=progress,
            )

    @recorded("EDG.upper_bound")
    def upper_bound(
        self,
        reference: xr.Dataset,
        seed: int,
        *,
        n_path_steps: int | None = None,
        n_views: int | str = "auto",
        **couplings: float,
    ) -> xr.Dataset:
        """Upper bound on log Z from reference samples sent backwards through the encoder.

        With the lower bound (``elbo``) it sandwiches log Z, and reveals modes that the decoder dropped, which
        no effective sample size of its own draws can.

        Parameters
        ----------
        reference : Dataset
            MCMC samples of the same system with ``configurations`` (``keep=True``), dims (chain, draw, ...).
        seed : int
        n_path_steps, n_views, **couplings
            As for `sample`; the bound falls with the number of views. "auto" takes 8.

        Returns
        -------
        Dataset
            Of kind "bound", dims (chain, draw): ``log_weight_reverse``, whose average is the bound.

        Raises
        ------
        ValueError
            If `reference` has no configurations, or they are of another size or system.
        """
        options = SampleOptions(n_path_steps=n_path_steps, n_views=n_views)
        with torch_threads(self.n_threads):
            return upper_bound(self.at(**couplings)._trained, reference, seed, options)

    @recorded("EDG.bridge")
    def bridge(
        self,
        reference: xr.Dataset,
        n_samples: int = 10_000,
        seed: int = 4,
        *,
        n_path_steps: int | None = None,
        n_views: int | str = "auto",
        batch_size: int = 1000,
        progress: bool | None = None,
        checkpoint: str | Path | None = None,
        **couplings: float,
    ) -> xr.Dataset:
        """log Z from draws and from reference samples sent backwards, by Bennett's acceptance ratio.

        Where few draws carry all weight, or a phase was lost, it still gives log Z with an honest error; see
        `edgphys.edg.weights.bridge`.

        Parameters
        ----------
        reference : Dataset
            MCMC samples of the same system with ``configurations`` (``keep=True``), dims (chain, draw, ...),
            that training has not seen.
        n_samples : int
            Draws of the generator, at least 2.
        seed : int
            Of the draws, which are those of `sample`, and of the way back.
        n_path_steps, n_views, batch_size, progress, checkpoint, **couplings
            As for `sample`; the reference is weighed from as many sides. Nothing is annealed.

        Returns
        -------
        Dataset
            Of kind "estimates": ``log_z`` and ``free_energy`` with errors that know the autocorrelation of
            the chains, the bounds ``elbo`` and ``log_z_upper`` and their ``gap``; ``ess`` of the draws and
            ``ess_reverse`` of the reference, ``bridge_overlap``, ``n_bridge`` and ``mismatch``, by which
            ``reliable`` is judged; all other estimates are those of the reference. n_energy_calls count
            training, both sides, and the reference.

        Raises
        ------
        ValueError
            If `reference` has no configurations, or they are of another size or system.
        ShortChainError
            If its chains have fewer than 16 draws.
        """
        options = SampleOptions(n_path_steps=n_path_steps, n_views=n_views, batch_size=batch_size)
        with torch_threads(self.n_threads):
            trained, shown = self.at(**couplings)._trained, {"progress": progress, "checkpoint": checkpoint}
            return bridge(trained, reference, n_samples, seed, options, **shown)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write system, options and weights to one file.

        A class of one's own, a function of one's own (`Potential`), or data are not in it: hand the system in
        to `load` again.

        Raises
        ------
        DatasetError
            If the folder does not exist, the file exists and `overwrite` is not set, or the disk refuses; the
            old file is as before.
        """
        path = check_target(path, "path", overwrite)
        options = _plain(self.options)
        state = (self.system, options, self._training, self._history, self.model)
        storage.write(path, *state, overwrite, self._reason)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        system: AbstractSystem | None = None,
        device: str | torch.device | None = None,
        n_threads: int = 1,
    ) -> EDG:
        """The sampler that `save` wrote.

        Parameters
        ----------
        path : path
        system : AbstractSystem, optional
            Only needed for a class of one's own, a `Potential`, or data of one's own: no file holds them.
        device : str or torch.device, optional
            Default: a GPU when there is one.
        n_threads : int, default 1
            As for `EDG`.

        Raises
        ------
        TypeError
            If `path` is no path, or `system` no system.
        DatasetError
            If there is no such file or it is not one of ours, or `system` is missing or another one.
        """
        path = Path(_checks.instance(path, "path", (str, Path), "a str or a Path"))
        if system is not None:
            check_system(system)
        content = storage.read(path, system)
        edg = cls(content.system, n_threads=n_threads, **content.options)
        edg._training, edg._history, edg._reason = content.trained, content.history, content.reason
        model = edg._build(content.trained.get("seed", 0), content.weights)
        storage.put_weights(model, content.weights, path)
        edg._model = model.to(_checks.device(device)).eval()
        edg._origin = edg._origin.read(path, device, system is not None)
        return edg


@plain.register(EDG)
def _(value: EDG) -> dict[str, Any]:
    return {"$generator": value._origin.plain()}


def _start_of(start: Any, recipe: AbstractRecipe) -> AbstractGenerator:
    """The model of another sampler, if laws can be taken from it."""
    _checks.instance(start, "start", EDG, "a trained EDG")
    if "refinement" not in recipe.targets or start._recipe.name != recipe.name:
        raise ArgumentValueError(
            f"start must be of decoder='refinement', and so must this EDG; got {start._recipe.name!r} for "
            f"{recipe.name!r}",
            "start",
        )
    return start.model


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
