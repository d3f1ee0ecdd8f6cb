# SPDX-License-Identifier: MIT
"""Clusters grown particle by particle at their own temperature: DW4, LJ13, LJ55, without annealing.

    python -m studies.molecular.growth [--case NAME ...] [--seed 0 1 2] [--n-draws N] [--n-many N]
    python -m studies.molecular.growth --table
    python -m studies.molecular.growth --compare

Every line of ``growth.jsonl`` is one training, drawn from once: the K views of a draw are the first K of all,
so that one set of draws gives all K. Draws are weighed from 8 sides, the first of them (all, or ``--n-many``)
from 32. A case and seed that are there already are not run again. Averages are those of draws weighed from 8
sides. "energies" are evaluations of the energy of a whole cluster, or as many
pairs, chains of the training and trials included. "LJ55 once, annealed" is trained at a higher temperature.
`--compare` sets log_z, averages and g(r) against the references of `growth_references`.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

import edgphys as ep
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.weights.views import ViewSpread, harmonic_mean
from studies.common import hardware, pm, table, weighed_draws, z_score
from studies.lattice_records.tables import describe, figures, measured, read_lines
from studies.molecular.growth_references import EDGES, FILE

VIEWS, FEW, MANY = (1, 8, 32), 8, 32
# Errors that costs are stated for.
WANTED = {"log_z_err_8": 0.005, "energy_err": 0.02}
RESULTS = Path(__file__).with_name("growth.jsonl")
COMPARED = (
    ("mbar", "log_z", "log_z_8", "log_z_err_8"),
    ("tempering", "energy", "energy", "energy_err"),
    ("tempering", "radius_of_gyration", "radius_of_gyration", "radius_of_gyration_err"),
)
# Bins of g(r) where chains have less than this, over the largest, are left out: few draws, no error to trust.
SEEN = 1e-2


@dataclass(frozen=True)
class Case:
    """A system, how it is trained, and how many draws and views.

    Attributes
    ----------
    system : callable
    log_z : (float, float)
        Of a reference, with its error.
    options, fit : dict
    n_draws, batch_size : int
    n_many : int, optional
        Draws, the first ones, that are weighed from `MANY` sides; all.
    n_anneal : int
        Rungs from where it is trained.
    """

    system: Callable[[], Any]
    log_z: tuple[float, float]
    options: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    n_draws: int = 10_000
    batch_size: int = 500
    n_many: int | None = None
    n_anneal: int = 0


CASES = {
    "DW4": Case(lambda: ep.DoubleWellParticles(), (29.667232, 0.0)),
    "LJ13 once": Case(lambda: ep.LennardJones(pair_count="once"), (39.240, 0.010)),
    "LJ13 twice": Case(lambda: ep.LennardJones(pair_count="twice"), (59.854, 0.018)),
    "LJ55 once": Case(lambda: ep.LennardJones(55), (203.880, 0.086), batch_size=100, n_many=1000),
    "LJ55 once, annealed": Case(
        lambda: ep.LennardJones(55),
        (203.880, 0.086),
        {"train_at": {"temperature": 1.25}},
        n_draws=500,
        batch_size=100,
        n_anneal=1000,
    ),
}


def draw(
    edg: ep.EDG, case: Case, n_draws: int, n_many: int, seed: int, spread: ViewSpread
) -> tuple[Tensor, Tensor, Tensor]:
    """log w of single views, float64, (FEW, n_draws) and (MANY, n_many), and the positions."""
    model = cast(AbstractEDGModel, edg.model)
    generator = torch.Generator(device=model.device).manual_seed(seed)
    n, parts = case.batch_size, []
    for begin in range(0, n_draws, n):
        # The spread is that of as many views throughout.
        n_views, told = (MANY, spread) if begin < n_many else (FEW, ViewSpread())
        parts.append(weighed_draws(model, n, n_views, generator, told))
    few, many = ([log_w[:k] for log_w, _ in parts if len(log_w) >= k] for k in (FEW, MANY))
    return torch.cat(few, 1), torch.cat(many, 1), torch.cat([flat for _, flat in parts])


def trained_with(edg: ep.EDG) -> int:
    """Energies and gradients."""
    return edg._training["n_energy_calls"] + edg._training["n_gradient_calls"]


def annealed(edg: ep.EDG, case: Case, n_draws: int, seed: int) -> tuple[Tensor, Tensor, int]:
    """log w of draws weighed from 8 sides and then annealed, the positions, and energies."""
    samples = edg.sample(
        n_draws, seed, n_views=FEW, n_anneal=case.n_anneal, keep=True, batch_size=case.batch_size
    )
    n_energies = samples.attrs["n_energy_calls"] - trained_with(edg)
    positions = torch.from_numpy(samples["configurations"].to_numpy()).flatten(1)
    return torch.from_numpy(samples["log_weight_joint"].to_numpy()), positions, int(n_energies)


def weighted(values: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    """Self-normalised mean and its error."""
    share = w / w.sum()
    mean = float(share @ values)
    return mean, float(np.sqrt((share**2 * (values - mean) ** 2).sum()))


def pair_density(positions: np.ndarray, w: np.ndarray, edges: np.ndarray) -> dict[str, list[float]]:
    """p(r) of weighted draws, as `ep.pair_distances` defines it, with its error."""
    first, second = np.triu_indices(positions.shape[1], 1)
    share = np.empty((len(positions), len(edges) - 1))
    for row, one in zip(share, positions, strict=True):
        row[:] = np.histogram(np.linalg.norm(one[first] - one[second], axis=1), edges)[0]
    share /= len(first) * np.diff(edges)
    found = [weighted(column, w) for column in share.T]
    return {"density": [value for value, _ in found], "density_err": [err for _, err in found]}


def run(name: str, seed: int, n_draws: int | None, n_many: int | None) -> dict[str, Any]:
    """One training and its draws."""
    case, n_draws = CASES[name], n_draws or CASES[name].n_draws
    n_many = min(n_draws, n_many or case.n_many or n_draws)
    begin = time.process_time()
    edg = ep.EDG(case.system(), target="growth", **case.options).fit(seed, progress=False, **case.fit)
    middle, spread = time.process_time(), ViewSpread()
    told, system = edg._training, edg.system
    if case.n_anneal:
        weights, positions, n_energies = annealed(edg, case, n_draws, 1000 + seed)
        found, n_many = {FEW: weights}, 0
    else:
        few, many, positions = draw(edg, case, n_draws, n_many, 1000 + seed, spread)
        n_energies = round(few.numel() * (1.0 + edg.model.laws.n_pairs / system.n_pairs))
        found = {k: harmonic_mean(few[:k] if k <= FEW else many) for k in VIEWS}
        weights = found[FEW]
    end = time.process_time()
    record = {
        "case": name,
        "seed": seed,
        "training": told["training"],
        "n_steps": told["n_steps"],
        "batch_size": told["batch_size"],
        "decoder_size": edg.options["decoder_size"],
        "n_trials": edg.options["n_trials"],
        "n_picks": edg.options["n_picks"],
        "n_anneal": case.n_anneal,
        "training_cpu_s": middle - begin,
        "drawing_cpu_s": end - middle,
        "n_energy_calls_training": trained_with(edg),
        "n_energy_calls_drawing": n_energies,
        "n_draws": n_draws,
        "n_many": n_many,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "hardware": hardware(),
        **spread.attrs(),
    }
    for k, log_w in found.items():
        record |= {f"{key}_{k}": value for key, value in figures(log_w).items()}
    w = torch.exp(weights - weights.max()).numpy()
    configurations = positions.reshape(-1, *system.event_shape)
    for key, values in system.measure(configurations).items():
        record[key], record[f"{key}_err"] = weighted(np.asarray(values), w)
    edges = EDGES[name.removesuffix(", annealed")]
    return record | {"g": pair_density(system.to_configurations(configurations).double().numpy(), w, edges)}


def cost_of(record: dict[str, Any], key: str, err: float) -> float:
    """Energies of the training, and of as many draws from 8 sides as bring an error down to `err`."""
    return record["n_energy_calls_training"] + record["n_energy_calls_drawing"] * (record[key] / err) ** 2


def rows_of(records: list[dict[str, Any]]) -> list[list[str]]:
    """One row per case and length of training, means of the seeds with the spread."""
    rows = []
    for name, n_steps in sorted(
        {(r["case"], r["n_steps"]) for r in records}, key=lambda one: (list(CASES).index(one[0]), one[1])
    ):
        found = [r for r in records if (r["case"], r["n_steps"]) == (name, n_steps)]
        ess = [describe([r[f"ess_{k}"] for r in found if f"ess_{k}" in r], 3) for k in VIEWS]
        seconds = [
            f"{min(r[k] for r in found):.0f} to {max(r[k] for r in found):.0f}"
            for k in ("training_cpu_s", "drawing_cpu_s")
        ]
        costs = [np.mean([cost_of(r, key, err) for r in found]) for key, err in WANTED.items()]
        log_z = [(r["log_z_8"], r["log_z_err_8"]) for r in found]
        rows.append(
            [
                name,
                str(n_steps),
                str(len(found)),
                str(found[0]["n_draws"]),
                str(found[0]["n_many"]),
                *ess,
                ", ".join(pm(*one) for one in log_z),
                ", ".join(f"{z_score(*one, *CASES[name].log_z):+.1f}" for one in log_z),
                *seconds,
                *(f"{cost / 1e6:.0f}" for cost in costs),
            ]
        )
    return rows


HEADER = (
    "case",
    "steps",
    "seeds",
    "draws",
    "K = 32",
    "ESS, K = 1",
    "8",
    "32",
    "log_z, K = 8",
    "z",
    "training (CPU s)",
    "drawing (CPU s)",
    "10^6 energies for .005 in log_z",
    "for .02 in the energy",
)


def averaged(values: list[Any], errors: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis weighted by the errors, and its error."""
    weights = np.array(errors) ** -2.0
    return (weights * np.array(values)).sum(0) / weights.sum(0), weights.sum(0) ** -0.5


def compared(records: list[dict[str, Any]]) -> list[list[str]]:
    """z of log_z and averages against chains, and the largest z of g(r) with the number of its bins."""
    known = json.loads(FILE.read_text())["results"]
    rows = []
    for record in records:
        name = record["case"].removesuffix(", annealed")
        chains = [row for key, row in known.items() if key.startswith(f"{name}, seed")]
        if not chains or "g" not in record:
            continue
        row = [record["case"], str(record["seed"]), str(len(chains))]
        for kind, key, mine, err in COMPARED:
            reference = averaged(*([one[kind][key + end] for one in chains] for end in ("", "_err")))
            row.append(f"{z_score(record[mine], record[err], *map(float, reference)):+.1f}")
        found, found_err = (np.array(record["g"][key]) for key in ("density", "density_err"))
        errors = np.array([one["g"]["density_err"] for one in chains])
        densities = np.array([one["g"]["density"] for one in chains])
        seen = (densities > SEEN * densities.max()).all(0) & (errors > 0.0).all(0)
        g, g_err = averaged(list(densities[:, seen]), list(errors[:, seen]))
        pulls = (found[seen] - g) / np.hypot(found_err[seen], g_err)
        rows.append([*row, f"{np.abs(pulls).max():.1f}", str(seen.sum()), f"{(pulls**2).mean():.2f}"])
    return rows


AGAINST = (
    "case",
    "seed",
    "seeds of the chains",
    "log_z",
    "energy",
    "radius of gyration",
    "g(r), largest z",
    "of bins",
    "mean z^2",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES), help="default: all")
    parser.add_argument("--seed", nargs="+", type=int, default=[0, 1, 2], help="of the training")
    parser.add_argument("--n-draws", type=int, help="default: that of the case")
    parser.add_argument("--n-many", type=int, help="draws weighed from 32 sides; default: that of the case")
    parser.add_argument("--table", action="store_true", help="of what is there")
    parser.add_argument("--compare", action="store_true", help="what is there with long chains")
    arguments = parser.parse_args()
    if arguments.table or arguments.compare:
        header, rows = (HEADER, rows_of) if arguments.table else (AGAINST, compared)
        print(table(header, rows(read_lines(RESULTS))))
        return
    torch.set_num_threads(1)
    run_all = functools.partial(run, n_draws=arguments.n_draws, n_many=arguments.n_many)
    measured(RESULTS, arguments.case, arguments.seed, run_all)


if __name__ == "__main__":
    main()
