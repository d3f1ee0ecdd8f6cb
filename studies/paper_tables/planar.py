# SPDX-License-Identifier: MIT
"""EDG with default options on the planar targets of the paper, against exact draws and parallel tempering.

    python -m studies.paper_tables.planar [--case NAME ...] [--seed 0 1 2] [--quick]

Writes planar.json and planar.png here. Each case: training, 5,000 draws (seed + 1), MMD from 5,000 exact
reference draws before and after weighting, shares of the modes, log_z, joint ESS in both directions, and
tempering with HMC at as many evaluations as training and sampling took.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
import xarray as xr

import edgphys as ep
from edgphys.estimators import forward_ess
from edgphys.estimators.profiles.averages import averages
from edgphys.systems.provenance import sample_attrs
from studies.common import edg_row, parser, pm, store, table, tempered
from studies.paper_tables.targets import LADDERS, NAMES, PAPER, PAPER_WEIGHTED, distances, reference_draws

FILE = Path(__file__).parent / "planar.json"
N_DRAWS = 5000


def floor(system: ep.Planar, n: int, n_repeats: int, rng: np.random.Generator) -> dict:
    """What two independent samples of the target itself give, over many pairs."""
    rows = []
    for _ in range(n_repeats):
        rows.append(distances(reference_draws(system, n, rng), reference_draws(system, n, rng)))
    return {
        "n_repeats": n_repeats,
        "mmd_squared_mean": float(np.mean([r["mmd_squared"] for r in rows])),
        "mmd_squared_sd": float(np.std([r["mmd_squared"] for r in rows], ddof=1)),
        "mmd_mean": float(np.mean([r["mmd"] for r in rows])),
        "mmd_highest": float(max(r["mmd"] for r in rows)),
        "mmd_biased_mean": float(np.mean([r["mmd_biased"] for r in rows])),
        "mmd_biased_highest": float(max(r["mmd_biased"] for r in rows)),
    }


def modes(system: ep.Planar, samples: xr.Dataset) -> dict:
    """Shares of the modes with errors, and their z-scores against the exact shares."""
    points = samples["configurations"].to_numpy().reshape(-1, 2)
    sizes = [samples.sizes[name] for name in samples.dims if name in ("chain", "draw")]
    columns = system.responsibilities(points).T.reshape(system.n_modes, *sizes)
    shares, errors = averages(samples, columns)
    exact = system.mode_weights()
    # One ring has all of the weight, without an error.
    z = (shares - exact) / np.where(system.n_modes > 1, errors, 1.0)
    return {
        "shares": shares.tolist(),
        "errors": errors.tolist(),
        "exact": exact.tolist(),
        "least_over_exact": float((shares / exact).min()),
        "largest_z": float(np.abs(z).max()),
        "chi_squared": float((z**2).sum()),
    }


def forward(edg: ep.EDG, reference: np.ndarray, seed: int) -> dict[str, float]:
    """Effective sample size seen from the reference, and the upper bound on log_z."""
    system = edg.system
    attrs = sample_attrs(
        system, method="exact", seed=seed, wall_time=0.0, settings={}, n_energy_calls=0, n_gradient_calls=0
    )
    draws = xr.Dataset({"configurations": (("chain", "draw", "coordinate"), reference[None])}, attrs=attrs)
    log_w = edg.upper_bound(draws, seed, n_views=1)["log_weight_reverse"].to_numpy().ravel()
    ess = forward_ess(log_w)
    error = log_w.std(ddof=1) / np.sqrt(len(log_w))
    return {
        "forward_ess": float(ess["forward_ess"]),
        "forward_ess_err": float(ess["forward_ess_err"]),
        "upper_bound": float(log_w.mean()),
        "upper_bound_err": float(error),
    }


def one_seed(name: str, seed: int, reference: np.ndarray, quick: bool) -> tuple[dict, np.ndarray]:
    system = ep.Planar(name)
    edg = ep.EDG(system, **({"n_components": 4} if quick else {}))
    edg.fit(seed=seed, n_steps=4 if quick else None, progress=False)
    samples = edg.sample(len(reference), seed=seed + 1, n_views=1, keep=True, progress=False)
    x, log_w = samples["configurations"].to_numpy(), samples["log_weight_joint"].to_numpy()
    result = edg_row(edg, samples, system.exact_results()["log_z"])
    result |= {"raw": distances(x, reference), "weighted": distances(x, reference, log_w)}
    even = samples.assign(log_weight_joint=0.0 * samples["log_weight_joint"])
    result |= {"modes": modes(system, samples), "modes_raw": modes(system, even)}
    return result | forward(edg, reference, seed + 2), x


def opponent(name: str, n_calls: int, reference: np.ndarray, seed: int) -> dict:
    """Tempering at the same number of evaluations; its draws are thinned to as many as EDG's."""
    system = ep.Planar(name)
    start = time.perf_counter()
    cold = tempered(system, np.geomspace(1.0, LADDERS[name], 6), n_calls, seed, n_keep=len(reference))
    seconds = time.perf_counter() - start
    points = cold["configurations"].to_numpy().reshape(-1, 2)
    table_ = ep.estimate(cold)
    kept = {key: cold.attrs[key] for key in ("n_calls", "swap_rate", "n_round_trips", "n_rungs", "thin")}
    return kept | {
        **distances(points[-len(reference) :], reference),
        "modes": modes(system, cold),
        "n_draws": len(points),
        "tau_int": float(table_["tau_int"]),
        "warning": table_.attrs["warning"],
        "seconds": seconds,
    }


def case(name: str, seeds: list[int], quick: bool) -> tuple[dict, np.ndarray]:
    """One target: noise floor, EDG by seed, tempering; and the draws of the first seed."""
    rng = np.random.default_rng(12345)
    n = 300 if quick else N_DRAWS
    reference = reference_draws(ep.Planar(name), n, rng)
    result = {"floor": floor(ep.Planar(name), n, 3 if quick else 40, rng), "edg": {}}
    draws = None
    for seed in seeds:
        result["edg"][str(seed)], x = one_seed(name, seed, reference, quick)
        draws = x if draws is None else draws
    n_calls = 50_000 if quick else result["edg"][str(seeds[0])]["n_calls"]
    result["tempering"] = opponent(name, n_calls, reference, seeds[0])
    return result, draws


def summary(results: dict[str, dict]) -> str:
    """Two markdown tables: distances, then weights."""
    first, second = [], []
    for name in (n for n in NAMES if n in results):
        r = results[name]
        noise, chains, runs = r["floor"], r["tempering"], list(r["edg"].values())
        paper = f"{PAPER[name]:.2f}" if name in PAPER else "-"
        paper += f" ({PAPER_WEIGHTED[name]:.2f})" if name in PAPER_WEIGHTED else ""

        def each(key: str, field: str, runs=runs) -> str:
            return ", ".join(f"{run[key][field]:.3f}" for run in runs)

        first.append(
            [
                name,
                each("raw", "mmd_biased"),
                each("weighted", "mmd_biased"),
                each("raw", "mmd"),
                each("weighted", "mmd"),
                ", ".join(f"{1e4 * run['weighted']['mmd_squared']:+.1f}" for run in runs),
                f"{1e4 * noise['mmd_squared_sd']:.1f}",
                f"{noise['mmd_biased_mean']:.3f}, {noise['mmd_mean']:.3f}",
                f"{chains['mmd_biased']:.3f}, {chains['mmd']:.3f}",
                paper,
            ]
        )
        second.append(
            [
                name,
                ", ".join(pm(run["log_z"], run["log_z_err"]) for run in runs),
                f"{runs[0]['exact_log_z']:.5f}",
                ", ".join(f"{run['z']:+.1f}" for run in runs),
                ", ".join(f"{run['ess']:.3f}" for run in runs),
                ", ".join(f"{run['forward_ess']:.3f}" for run in runs),
                ", ".join(f"{run['modes']['least_over_exact']:.2f}" for run in runs),
                ", ".join(f"{run['modes']['largest_z']:.1f}" for run in runs),
                f"{chains['modes']['largest_z']:.1f} ({chains['modes']['least_over_exact']:.2f})",
                ", ".join(f"{run['training_s']:.0f}" for run in runs),
            ]
        )
    heads = (
        "target|biased MMD|weighted|MMD|weighted|10^4 MMD^2, weighted|its scatter for exact draws"
        "|exact draws: biased MMD, MMD|tempering: biased MMD, MMD|paper (weighted)",
        "target|log_z|exact|z|joint ESS|forward ESS|least share of a mode / exact|largest z of the shares"
        "|tempering: largest z (least share)|training (s)",
    )
    return "\n".join(table(head.split("|"), rows) for head, rows in zip(heads, (first, second), strict=True))


def picture(draws: dict[str, np.ndarray], path: Path) -> None:
    """Unweighted draws of the first seed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(draws), figsize=(2.6 * len(draws), 2.8), squeeze=False)
    for ax, (name, x) in zip(axes[0], draws.items(), strict=True):
        ax.plot(x[:, 0], x[:, 1], ".", markersize=1, color="tab:blue", alpha=0.5)
        ax.set(title=name, aspect="equal")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def main(argv: list[str] | None = None) -> None:
    arguments = parser(__doc__, NAMES, (0, 1, 2)).parse_args(argv)
    torch.set_num_threads(1)
    seeds = arguments.seed[:1] if arguments.quick else arguments.seed
    cases = arguments.case[:2] if arguments.quick else arguments.case
    draws, results = {}, {}
    for name in cases:
        results[name], draws[name] = case(name, seeds, arguments.quick)
        everything = store(arguments, FILE, results)
        print(name, "done", flush=True)
    if set(cases) == set(NAMES):
        picture(draws, (arguments.out or FILE.parent) / "planar.png")
    print(summary(everything))


if __name__ == "__main__":
    main()
