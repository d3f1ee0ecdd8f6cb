# SPDX-License-Identifier: MIT
"""The computations whose outputs are golden: tiny, with fixed seeds, by public names only.

Names are "kind/what/...". Those of the kinds `STABLE` are sums over given numbers, without a chain or a
network that makes their rounding errors grow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import xarray as xr

import edgphys as ep
import lattices

__all__ = ["SEED", "STABLE", "cases"]

SEED = 7
STABLE = ("exact", "stored")

_CHAIN = {"n_chains": 2, "n_sweeps": 40, "n_warmup": 20, "thin": 2, "keep": True, "n_threads": 1}
_LADDER = {"n_chains": 2, "n_sweeps": 400, "n_threads": 1}
_MODEL = {"n_path_steps": 2, "decoder_size": (4, 2), "encoder_size": (4, 2)}
# One view, as recorded.
_WEIGHTS = {"n_views": 1}
_TRAINING = {"n_steps": 3, "batch_size": 16, "device": "cpu", "progress": False}

# Models whose chain and upper bound are recorded too.
_MORE = (
    "ising decimation",
    "ising relaxation",
    "phi4 sublattice",
    "phi4 field",
    "phi4 hamiltonian",
    "well mixture",
    "well gaussian",
    "particles leapfrog",
)

Case = Callable[[int], xr.Dataset]


# ------------------------------------------------------------------------------------------------ the systems


def _ising(name: str = "square", extent: tuple[int, ...] = (4, 4), **changes: float) -> ep.Ising:
    return ep.Ising(lattices.build(name, extent), **{"temperature": 2.5} | changes)


def _phi4(*extent: int) -> ep.Phi4:
    return ep.Phi4(lattices.build("square", extent or (4, 4)), kappa=0.25, lam=0.022)


def _bowl(x: torch.Tensor) -> torch.Tensor:
    return 0.25 * (x**4).sum(1) + 0.5 * x[:, 0] * x[:, 1]


def _potential() -> ep.Potential:
    return ep.Potential(_bowl, n_dims=2, temperature=1.5)


def _cluster() -> ep.LennardJones:
    return ep.LennardJones(n_particles=3, n_axes=2)


def _chain_systems() -> dict[str, Any]:
    return {
        "ising square": _ising(),
        "ising triangular antiferromagnet": _ising("triangular", (3, 3), coupling=-1.0),
        "ising field": _ising(field=0.3),
        "ising honeycomb": _ising("honeycomb", (3, 3)),
        "phi4": _phi4(),
        "double well": ep.DoubleWell(2),
        "mueller-brown": ep.MuellerBrown(),
        "potential": _potential(),
        "particles": ep.DoubleWellParticles(),
        "lennard-jones": _cluster(),
    }


def _models() -> dict[str, tuple[Any, dict[str, Any]]]:
    """System and options of `EDG`, one for each way through it."""
    paper = {"form": "paper"}
    other_paper = paper | {"schedule": "vp-linear", "trace": "exact", "time_proposal": "uniform"}
    few = {"n_components": 4}
    return {
        "ising decimation": (_ising(field=0.2), {}),
        "ising relaxation": (_ising(), {"target": "relaxation"}),
        "ising triangular": (_ising("triangular", (3, 3), coupling=-1.0), {}),
        "ising paper": (_ising(), paper),
        "ising mixture": (_ising(), {"decoder": "mixture"} | few),
        "phi4 sublattice": (_phi4(), {}),
        "phi4 field": (_phi4(), {"target": "field"}),
        "phi4 paper": (_phi4(), other_paper),
        "phi4 hamiltonian": (_phi4(), {"decoder": "hamiltonian", "n_leapfrog": 2} | few),
        "well mixture": (ep.DoubleWell(2), few),
        "well hamiltonian": (ep.DoubleWell(2), {"decoder": "hamiltonian", "n_leapfrog": 2} | few),
        "well gaussian": (ep.DoubleWell(2), {"encoder": "gaussian", "n_path_steps": 1} | few),
        "well hot": (ep.DoubleWell(2), {"train_at": {"temperature": 2.0}} | few),
        "many-well blocks": (ep.ManyWell(4), few),
        "potential mixture": (_potential(), few),
        "particles": (ep.DoubleWellParticles(), {}),
        "particles leapfrog": (ep.DoubleWellParticles(), {"n_leapfrog": 1}),
        "lennard-jones": (_cluster(), {}),
    }


# ------------------------------------------------------------------------------------------- the computations


def _decoder(system: Any) -> dict[str, str]:
    """The decoder of the records of lattices and of clusters."""
    return {"lattice": {"decoder": "field"}, "particles": {"decoder": "particles"}}.get(system.geometry, {})


@functools.cache
def _trained(model: str, seed: int) -> ep.EDG:
    system, options = _models()[model]
    return ep.EDG(system, **_decoder(system) | _MODEL | options).fit(seed=seed, **_TRAINING)


def _draws(seed: int, model: str, **options: Any) -> xr.Dataset:
    edg = _trained(model, seed)
    samples = edg.sample(40, seed=seed + 1, keep=True, progress=False, **_WEIGHTS, **options)
    return samples.assign(bound=edg.history["bound"])


def _edg_chain(seed: int, model: str, n_anneal: int | None) -> xr.Dataset:
    edg = _trained(model, seed)
    return edg.chain(24, seed=seed + 2, n_chains=2, n_anneal=n_anneal, keep=True, progress=False, **_WEIGHTS)


def _upper_bound(seed: int, model: str) -> xr.Dataset:
    edg = _trained(model, seed)
    algorithm = "random_walk" if edg.system.family == "continuous" else "metropolis"
    return edg.upper_bound(ep.mcmc.run(edg.system, algorithm, seed=seed, **_CHAIN), seed + 3, **_WEIGHTS)


def _run(seed: int, system: str, algorithm: str, **options: Any) -> xr.Dataset:
    return ep.mcmc.run(_chain_systems()[system], algorithm, seed=seed, options=options, **_CHAIN)


def _temper(seed: int, system: Any, algorithm: str, **ladder: list[float]) -> xr.Dataset:
    return ep.mcmc.temper(system, ladder, algorithm, seed=seed, **_CHAIN)


def _free_energy(seed: int, system: Any, method: str) -> xr.Dataset:
    if method == "edg":
        options = _decoder(system) | _MODEL | _TRAINING | _WEIGHTS
        del options["progress"]
        return ep.free_energy(system, "edg", seed=seed, n_samples=50, options=options)
    return ep.free_energy(system, method, seed=seed, **_LADDER)


def _scan(seed: int, make: Callable[..., Any], *methods: str, **couplings: list[float]) -> xr.Dataset:
    options: dict[str, Any] = {"n_samples": 50, "progress": False, "workers": 1}
    if "edg" in methods:
        first = make(*(values[0] for values in couplings.values()))
        all_options = _decoder(first) | _MODEL | _TRAINING | _WEIGHTS
        options["edg"] = {name: value for name, value in all_options.items() if name != "progress"}
    if set(methods) - {"edg", "exact"}:
        options["mcmc"] = _LADDER
    return ep.scan(make, methods=methods, seed=seed, **options, **couplings)


def _stored(seed: int, system: Any, weighted: bool) -> xr.Dataset:
    """Uniform draws, with the weights that make them those of `system` or as independent chains."""
    rng = np.random.default_rng(seed)
    shape = (200,) if weighted else (2, 100)
    x = rng.random((*shape, *system.event_shape))
    x = np.where(x < 0.5, -1.0, 1.0) if system.family == "ising" else 5.0 * x - 2.5
    columns = system.measure(x.reshape(-1, *system.event_shape))
    columns["reduced_energy"] = system.beta * columns["energy"]
    if weighted:
        columns["log_weight_joint"] = -columns["reduced_energy"]
    dims = ("draw",) if weighted else ("chain", "draw")
    attrs = ep.systems.sample_attrs(
        system,
        method="edg" if weighted else "metropolis",
        seed=seed,
        wall_time=0.0,
        settings={},
        n_energy_calls=200,
        n_gradient_calls=0,
    )
    data = {name: (dims, values.reshape(shape)) for name, values in columns.items()}
    event = ("x", "y") if system.family == "ising" else ("particle", "axis")[: len(system.event_shape)]
    data["configurations"] = ((*dims, *event), x)
    return xr.Dataset(data, attrs=attrs)


# -------------------------------------------------------------------------------------------------- the cases


@functools.cache
def cases() -> dict[str, Case]:
    """Computations by name, "kind/what/...": from a seed to a dataset."""
    return _edg_cases() | _chain_cases() | _ladder_cases() | _estimator_cases()


def _edg_cases() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for model in _models():
        # A short annealing where training sees another system.
        n_anneal = 3 if model in ("well hot", "particles", "particles leapfrog", "lennard-jones") else None
        found[f"edg/{model}/sample"] = functools.partial(_draws, model=model, n_anneal=n_anneal)
        if model in _MORE:
            found[f"edg/{model}/chain"] = functools.partial(_edg_chain, model=model, n_anneal=n_anneal)
            found[f"edg/{model}/upper_bound"] = functools.partial(_upper_bound, model=model)
    for model in ("well hot", "particles"):
        found[f"edg/{model}/sample by default"] = functools.partial(_draws, model=model)
        found[f"edg/{model}/sample at once"] = functools.partial(_draws, model=model, n_anneal=0)
    ode = {"weights": "ode", "n_ode_steps": 3}
    for model in ("ising decimation", "phi4 paper", "well mixture"):
        found[f"edg/{model}/ode"] = functools.partial(_draws, model=model, **ode)
    found["edg/phi4 field/ode hutchinson"] = functools.partial(
        _draws, model="phi4 field", divergence="hutchinson", **ode
    )
    return found


def _chain_cases() -> dict[str, Case]:
    found = {
        f"mcmc/{name}/{algorithm}": functools.partial(_run, system=name, algorithm=algorithm)
        for name, system in _chain_systems().items()
        for algorithm in ep.mcmc.algorithms_for(system)
    }
    for algorithm in ("wolff", "swendsen_wang"):
        found[f"mcmc/ising square/{algorithm} correlation"] = functools.partial(
            _run, system="ising square", algorithm=algorithm, correlation=True
        )
    return found


def _ladder_cases() -> dict[str, Case]:
    systems = {"ising": _ising(extent=(3, 3)), "phi4": _phi4(3, 3), "double well": ep.DoubleWell()}
    found: dict[str, Case] = {
        "temper/ising": lambda seed: _temper(seed, _ising(), "wolff", temperature=[2.0, 2.5, 3.0]),
        "temper/ising field": lambda seed: _temper(
            seed, _ising(), "metropolis", temperature=[2.0, 3.0], field=[0.1, 0.2]
        ),
        "temper/phi4": lambda seed: _temper(seed, _phi4(), "hmc", kappa=[0.2, 0.25]),
        "temper/double well": lambda seed: _temper(
            seed, ep.DoubleWell(2), "hmc", temperature=[1.0, 1.5, 2.0]
        ),
    }
    for name, system in systems.items():
        for method in ("mbar", "ti", "edg"):
            found[f"free_energy/{name}/{method}"] = functools.partial(
                _free_energy, system=system, method=method
            )
    square, lattice = lattices.build("square", (3, 3)), lattices.build("square", (4, 4))
    chains = ("edg", "mcmc", "mbar", "exact")
    found["scan/ising"] = lambda seed: _scan(
        seed, lambda t: ep.Ising(square, temperature=t), *chains, "wolff", temperature=[2.5, 4.0]
    )
    found["scan/double well"] = lambda seed: _scan(
        seed, lambda temperature: ep.DoubleWell(1, temperature), *chains, "hmc", temperature=[1.0]
    )
    found["exact/ising"] = lambda seed: _scan(
        seed,
        lambda temperature, field: ep.Ising(lattice, temperature, field=field),
        "exact",
        temperature=[2.0, 2.5],
        field=[0.0, 0.1],
    )
    found["exact/double well"] = lambda seed: _scan(
        seed, lambda t: ep.DoubleWell(1, t), "exact", t=[1.0, 2.0]
    )
    return found


def _estimator_cases() -> dict[str, Case]:
    ising, well, cluster = _ising(), ep.DoubleWell(2), ep.DoubleWellParticles()
    edges = [-2.0, -1.0, 0.0, 1.0, 2.0]
    sides = lambda x: (x[:, 0] > 0).astype(int)  # noqa: E731
    found: dict[str, Case] = {}
    for words, weighted in {"weighted": True, "chains": False}.items():
        given = functools.partial(_stored, weighted=weighted)
        found |= {
            f"stored/{words}/estimate ising": lambda s, g=given: ep.estimate(g(s, ising)),
            f"stored/{words}/estimate double well": lambda s, g=given: ep.estimate(g(s, well)),
            f"stored/{words}/correlation": lambda s, g=given: ep.estimators.correlation_function(g(s, ising)),
            f"stored/{words}/profile": lambda s, g=given: ep.free_energy_profile(
                g(s, well), lambda x: x[:, 0], edges
            ),
            f"stored/{words}/histogram": lambda s, g=given: ep.energy_histogram(g(s, ising), 8),
            f"stored/{words}/pair distances": lambda s, g=given: ep.pair_distances(g(s, cluster), 8),
            f"stored/{words}/basins": lambda s, g=given: ep.basins(g(s, well), sides, ["left", "right"]),
            f"stored/{words}/average": lambda s, g=given: ep.average(g(s, ising), "energy"),
        }
    chains = functools.partial(_run, system="ising square", algorithm="wolff")
    found["stored/chains/times"] = lambda seed: ep.estimators.autocorrelation_times(
        _stored(seed, ising, weighted=False)
    )
    found["estimate/edg"] = lambda seed: ep.estimate(_draws(seed, "ising decimation"))
    found["estimate/wolff"] = lambda seed: ep.estimate(chains(seed))
    found["estimate/correlation"] = lambda seed: ep.estimators.correlation_function(chains(seed))
    return found
