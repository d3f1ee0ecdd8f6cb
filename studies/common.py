# SPDX-License-Identifier: MIT
"""What the studies of continuous systems share: options, results beside the script, tables, opponents.

Scripts run from the root of the repository, ``python -m studies.<folder>.<script>``. Results are merged
into one json file by name of the case, so that cases may be run one at a time. With ``--quick`` sizes are
small, the numbers mean nothing, and nothing is written unless ``--out`` says where.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

import edgphys as ep
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.path import log_weights
from edgphys.edg.weights.views import ViewSpread, redraw_by

__all__ = [
    "edg_row",
    "hardware",
    "mbar_log_z",
    "merge",
    "parser",
    "pm",
    "store",
    "table",
    "tempered",
    "z_score",
]


def parser(doc: str, cases: Sequence[str], seeds: Sequence[int] = (0,)) -> argparse.ArgumentParser:
    """Options of every script; ``--case`` takes some of `cases`."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--case", nargs="+", choices=list(cases), default=list(cases), help="default: all")
    made.add_argument("--seed", nargs="+", type=int, default=list(seeds), help="seeds of the training")
    made.add_argument("--quick", action="store_true", help="a smoke run: small sizes, nothing written")
    made.add_argument("--out", type=Path, help="folder of the results; default: that of the script")
    return made


def hardware() -> str:
    """Machine and versions, one line."""
    threads = f"{torch.get_num_threads()} torch thread{'s' if torch.get_num_threads() > 1 else ''}"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{platform.machine()}, {os.cpu_count()} cores, {gpu}, {threads}, torch {torch.__version__}"


def merge(path: Path, results: Mapping[str, dict]) -> dict[str, dict]:
    """The results in `path`, if there are any, with `results` put over those of the same name."""
    before = json.loads(path.read_text())["results"] if path.exists() else {}
    return before | dict(results)


def store(arguments: argparse.Namespace, path: Path, results: Mapping[str, dict]) -> dict[str, dict]:
    """Merge `results` into `path` (into ``--out``; nowhere in a smoke run without it); all there are now."""
    if arguments.quick and arguments.out is None:
        return dict(results)
    path = path if arguments.out is None else arguments.out / path.name
    merged = merge(path, results)
    path.write_text(json.dumps({"hardware": hardware(), "results": merged}, indent=1, default=float) + "\n")
    return merged


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def pm(value: float, err: float) -> str:
    """Value and error with two digits of the error, as 1.234(56).

    >>> pm(3.50853, 0.00214), pm(-12.3, 1.5), pm(0.5, 0.0)
    ('3.5085(21)', '-12.3(15)', '0.5')
    """
    if not (err > 0.0 and math.isfinite(err) and math.isfinite(value)):
        return f"{value:.6g}"
    # Of the error as it will be rounded: 0.0996 is 0.10.
    digits = max(0, 1 - math.floor(math.log10(float(f"{err:.1e}"))))
    return f"{value:.{digits}f}({round(err * 10**digits)})"


def z_score(value: float, err: float, exact: float, exact_err: float = 0.0) -> float:
    """Deviation in standard errors; NaN without an error."""
    total = math.hypot(err, exact_err)
    return (value - exact) / total if total > 0.0 else math.nan


def edg_row(edg: ep.EDG, samples: xr.Dataset, exact_log_z: float, exact_err: float = 0.0) -> dict[str, float]:
    """What a table says of trained EDG and its weighted draws."""
    estimates = ep.estimate(samples)
    row = {
        name: float(estimates[name])
        for name in ("log_z", "log_z_err", "elbo", "elbo_err", "ess", "max_weight", "pareto_k")
    }
    row |= {name: float(estimates[name]) for name in ("unseen_share", "unseen_share_err", "reliable")}
    row["exact_log_z"] = exact_log_z
    row["z"] = z_score(row["log_z"], row["log_z_err"], exact_log_z, exact_err)
    row["gap"] = exact_log_z - row["elbo"]
    training = json.loads(samples.attrs["settings"])["training"]
    return row | {
        "n_draws": samples.sizes["draw"],
        "n_calls": int(samples.attrs["n_energy_calls"]),
        "n_steps": training["n_steps"],
        "batch_size": training["batch_size"],
        "training_s": training["training_time"],
        "sampling_s": float(samples.attrs["wall_time"]),
        "n_parameters": sum(p.numel() for p in edg.model.parameters()),
        "n_labels": int(getattr(getattr(edg.model, "decoder", None), "n_labels", 1)),
    }


def tempered(
    system,
    temperatures: Sequence[float],
    n_calls: int,
    seed: int,
    *,
    n_chains: int = 4,
    n_keep: int = 5000,
) -> xr.Dataset:
    """Parallel tempering with HMC at about `n_calls` evaluations over all rungs, warm-up included.

    An evaluation is an energy with its gradient. The number of sweeps that takes is found by shorter runs,
    which are not counted, for the benefit of the opponent.

    Returns
    -------
    Dataset
        The rung of the lowest temperature, dims (chain, draw), with configurations, thinned to about `n_keep`
        draws. attrs: ``n_calls`` spent, ``swap_rate`` (least over the pairs) and ``n_round_trips``.
    """
    ladder = {"temperature": sorted(float(t) for t in temperatures)}
    common = {"n_chains": n_chains}
    n_sweeps = 300
    while True:
        thin = max(1, n_sweeps * n_chains // n_keep)
        arguments = common | {"n_sweeps": n_sweeps, "n_warmup": n_sweeps // 5, "thin": thin, "keep": True}
        chains = ep.mcmc.temper(system, ladder, "hmc", seed=seed, **arguments)
        share = chains.attrs["n_gradient_calls"] / n_calls
        if share > 0.9 or n_sweeps > 10**7:
            break
        # The tuned trajectories vary from run to run: never to more than ten times as many at once, and a
        # little more than asked for, lest a long run be for nothing.
        n_sweeps = int(n_sweeps * min(10.0, 1.1 / share)) + 1
    cold = ep.mcmc.rung(chains, temperature=ladder["temperature"][0])
    rate = float(chains["swap_rate"].mean("chain").min()) if "swap_rate" in chains else math.nan
    trips = int(np.nansum(chains["n_round_trips"])) if "n_round_trips" in chains else 0
    cold.attrs |= {
        "n_calls": int(chains.attrs["n_gradient_calls"]),
        "swap_rate": rate,
        "n_round_trips": trips,
        "n_rungs": len(ladder["temperature"]),
        "thin": thin,
    }
    return cold


def mbar_log_z(
    system, n_calls: int, seed: int, *, n_chains: int = 4, also: Sequence[str] = ()
) -> dict[str, float]:
    """log_z by MBAR from tempering on a path that starts at a known Gaussian, at about `n_calls` evaluations.

    The averages named in `also` come with their errors from the same chains.

    The pilot runs, which find the Gaussian and space the rungs, are part of the evaluations. Chains that
    are too short for an estimate are made longer, beyond `n_calls` if need be: ``n_calls`` says how many.
    """
    arguments = {"seed": seed, "n_chains": n_chains}
    n_sweeps = 500
    while True:
        try:
            found = ep.free_energy(system, n_sweeps=n_sweeps, **arguments)
        except ep.errors.ShortChainError:
            n_sweeps *= 4
            continue
        share = found.attrs["n_gradient_calls"] / n_calls
        if share > 0.9:
            break
        n_sweeps = int(n_sweeps * min(10.0, 1.0 / share)) + 1
    names = [name + end for name in ("log_z", *also) for end in ("", "_err")]
    return {name: float(found[name]) for name in names} | {
        "n_rungs": int(found["n_rungs"]),
        "n_sweeps": n_sweeps,
        "n_calls": int(found.attrs["n_gradient_calls"]),
        "warning": found.attrs["warning"],
        "seconds": float(found.attrs["wall_time"]),
    }


@torch.no_grad()
def weighed_draws(
    model: AbstractEDGModel, n: int, n_views: int, generator: torch.Generator, spread: ViewSpread
) -> tuple[Tensor, Tensor]:
    """log w of single views, float64, (n_views, n), the one that made the draw first; flat configurations."""
    n_steps, system = model.n_path_steps, model.target.system
    draw = model.draw(n, generator)
    log_density, configurations = model.target.lift(draw.x, generator)

    def back() -> tuple[Tensor, Tensor]:
        return model.target.lower(system.random_symmetry(configurations, generator).to(draw.x), generator)

    first = log_weights(model, draw, log_density, n_steps, generator)
    more = redraw_by(back, model, n_views - 1, n_steps, generator)
    spread.add(more)
    return torch.cat([first[None], more]).cpu(), configurations.cpu()
