# SPDX-License-Identifier: MIT
"""What views give to systems without a lattice: K = 1, 4, 16 sides of the same draws.

    python -m studies.lattice_records.views [--case NAME ...] [--seed 0 1 2] [--table] [--readme]

Default trainings. Clusters are trained on an easier system (`train_at`), from which their draws are annealed:
the weights here are those at the start of the annealing, where views come in. Results: ``views.jsonl``, one
training a line. A case and seed that are there already are not run again.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import scipy.integrate
import torch
from torch import Tensor

import edgphys as ep
from edgphys.edg.core.model import AbstractEDGModel, Draw
from edgphys.edg.core.path import log_weights
from edgphys.edg.weights.views import Back, ViewSpread, harmonic_mean, redraw_by
from studies.common import hardware, table, z_score
from studies.lattice_records.tables import FOLDER, describe, figures, measured, options_of, put, read_lines

FILE = FOLDER / "views.jsonl"
VIEWS = (1, 4, 16)
Lift = Callable[[AbstractEDGModel, Draw, torch.Generator], tuple[Tensor, Back]]


def four_wells() -> ep.Potential:
    """A double well in each of four dimensions: sixteen wells."""
    return ep.Potential(lambda x: (4.0 * (x**2 - 1.0) ** 2 + 0.5 * x).sum(1), n_dims=4)


def four_wells_log_z() -> float:
    """By quadrature of one of them."""
    one, _ = scipy.integrate.quad(lambda x: math.exp(-4.0 * (x**2 - 1.0) ** 2 - 0.5 * x), -4.0, 4.0)
    return 4.0 * math.log(one)


# ---------------------------------------------------------------------------------- log-density and ways back


def of_the_system(model: AbstractEDGModel, draw: Draw, generator: torch.Generator) -> tuple[Tensor, Back]:
    """The log-density at a draw, and the way back from its configuration."""
    log_density, configurations = model.target.lift(draw.x, generator)
    move = model.target.system.random_symmetry

    def back() -> tuple[Tensor, Tensor]:
        return model.target.lower(move(configurations, generator).to(draw.x), generator)

    return log_density, back


def of_the_start(model: AbstractEDGModel, draw: Draw, generator: torch.Generator) -> tuple[Tensor, Back]:
    """The same for the system trained on."""
    x, log_density = model.target.start(draw.x, generator)
    return log_density, lambda: model.target.lower_start(x.to(draw.x), generator)


@dataclass(frozen=True)
class Case:
    """A system, where its draws are weighed, and how many draws there are.

    Attributes
    ----------
    system : callable
        Makes it.
    lift : callable
        `of_the_system` or `of_the_start`.
    batch_size : int
    seeds : tuple of int
    seconds : float
        Of CPU time after which no batch is begun, once there are 2,000 draws.
    log_z : callable, optional
        The exact one, where the system does not know it.
    """

    system: Callable[[], Any]
    lift: Lift = of_the_system
    batch_size: int = 1000
    seeds: tuple[int, ...] = (0, 1, 2)
    seconds: float = 600.0
    log_z: Callable[[], float] | None = None
    decoder: str = "auto"


_START: dict[str, Any] = {"lift": of_the_start, "decoder": "particles"}
_CLUSTER: dict[str, Any] = _START | {"batch_size": 250, "seeds": (0,), "seconds": 240.0}
CASES: dict[str, Case] = {
    "Mueller-Brown, T = 10": Case(lambda: ep.MuellerBrown(temperature=10.0)),
    "Mueller-Brown, T = 15": Case(lambda: ep.MuellerBrown(temperature=15.0)),
    "double well, 2 dimensions": Case(lambda: ep.DoubleWell(2, barrier=6.0, tilt=0.5)),
    "double wells, 4 dimensions": Case(four_wells, log_z=four_wells_log_z),
    "many-well-32": Case(lambda: ep.ManyWell(32)),
    "DW4, start": Case(ep.DoubleWellParticles, batch_size=500, **_START),
    "LJ13 twice, start": Case(lambda: ep.LennardJones(13, pair_count="twice"), **_CLUSTER),
    "LJ13 once, start": Case(lambda: ep.LennardJones(13, pair_count="once"), **_CLUSTER),
}


@torch.no_grad()
def log_weights_of(
    model: AbstractEDGModel, case: Case, n_draws: int, seed: int, spread: ViewSpread
) -> Tensor:
    """log w of single views, float64, shape (n_views, n_draws): the view that made the draw first."""
    generator, n_steps = torch.Generator(device=model.device).manual_seed(seed), model.n_path_steps
    begin, parts, n_least = time.process_time(), [], min(n_draws, 2000)
    while sum(part.shape[1] for part in parts) < n_draws:
        if len(parts) * case.batch_size >= n_least and time.process_time() - begin > case.seconds:
            break
        draw = model.draw(case.batch_size, generator)
        log_density, back = case.lift(model, draw, generator)
        first = log_weights(model, draw, log_density, n_steps, generator)
        more = redraw_by(back, model, VIEWS[-1] - 1, n_steps, generator)
        spread.add(more)
        parts.append(torch.cat([first[None], more]).cpu())
    return torch.cat(parts, dim=1)


def run(name: str, seed: int, n_draws: int = 10_000, **fit: Any) -> dict[str, Any]:
    """One training and its draws."""
    case, begin = CASES[name], time.process_time()
    edg = ep.EDG(case.system(), decoder=case.decoder).fit(seed, progress=False, **fit)
    middle, spread = time.process_time(), ViewSpread()
    log_w = log_weights_of(edg.model, case, n_draws, 1000 + seed, spread)
    end = time.process_time()
    told = json.loads(edg.sample(2, 0, n_views=1, n_anneal=0).attrs["settings"])
    record = {
        "case": name,
        "seed": seed,
        "n_steps": told["training"]["n_steps"],
        "batch_size": told["training"]["batch_size"],
        "n_path_steps": edg.model.n_path_steps,
        "training_cpu_s": middle - begin,
        "drawing_cpu_s": end - middle,
        "n_draws": log_w.shape[1],
        "log_z_true": _exact(edg, case),
        "hardware": hardware(),
    }
    record |= spread.attrs()
    for k in VIEWS:
        record |= {f"{key}_{k}": value for key, value in figures(harmonic_mean(log_w[:k])).items()}
    return record


def _exact(edg: ep.EDG, case: Case) -> float | None:
    """log Z of the system that is weighed, where it is known: that of the start of an annealing is not."""
    if case.log_z is not None:
        return case.log_z()
    return None if case.lift is of_the_start else edg.system.exact_results()["log_z"]


def view_table(records: list[dict[str, Any]]) -> str:
    """Effective sample sizes, the gain in the bound, deviations from the exact log Z."""
    rows = []
    for name in CASES:
        group = [one for one in records if one["case"] == name]
        if not group:
            continue
        ess = [describe([one[f"ess_{k}"] for one in group], 3) for k in VIEWS]
        gains = [describe([one[f"elbo_{k}"] - one["elbo_1"] for one in group], 4) for k in VIEWS[1:]]
        parts = [
            describe([one[f"log_weight_variance_{part}"] for one in group], 4)
            for part in ("within", "between")
        ]
        known = [one for one in group if one["log_z_true"] is not None]
        pulls = [
            ", ".join(
                f"{z_score(one[f'log_z_{k}'], one[f'log_z_err_{k}'], one['log_z_true']):+.1f}"
                for one in known
            )
            for k in (1, VIEWS[-1])
        ]
        n_draws = ", ".join(sorted({f"{one['n_draws']:,}" for one in group}))
        rows.append([name, str(len(group)), n_draws, *ess, *gains, *parts, *pulls])
    header = ["case", "seeds", "draws", *(f"ESS, K = {k}" for k in VIEWS)]
    header += [*(f"bound rises (nats), K = {k}" for k in VIEWS[1:]), "variance within draws", "between"]
    header += ["pulls of log Z, K = 1", f"K = {VIEWS[-1]}"]
    return table(header, rows)


def main() -> None:
    parser = options_of(__doc__ or "")
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES), help="default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.table:
        for seed in arguments.seed:
            names = [name for name in arguments.case if seed in CASES[name].seeds]
            measured(FILE, names, [seed], run)
    put("views", view_table(read_lines(FILE)), arguments.readme)


if __name__ == "__main__":
    main()
