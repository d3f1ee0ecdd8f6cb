# SPDX-License-Identifier: MIT
"""Bayesian logistic regression: predictions of EDG against HMC, and the evidence of the data.

    python -m studies.paper_tables.logistic [--case NAME ...] [--seed 0 1 2 3 4] [--quick]

Writes logistic.json here. The data are generated (`generate_data` of the system, data_seed 0) in
the sizes of the three data sets that arXiv:1706.07561 uses, whose rows no dependency ships; ``line`` has one
feature, so that its evidence is a quadrature in two weights. A seed cuts the rows into four fifths for
training and one fifth for the test, and is the seed of EDG and of HMC.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.optimize
import scipy.special
import torch

import edgphys as ep
from edgphys.systems.continuous.classification import accuracy, area_under_curve, generate_data
from studies.common import edg_row, mbar_log_z, parser, pm, store, table, z_score

FILE = Path(__file__).parent / "logistic.json"
# Features and rows.
CASES = {"line": (1, 400), "heart": (13, 532), "australian": (14, 690), "german": (24, 1000)}
N_DRAWS, N_STEPS, LONG = 10_000, 150, 10


def regression(name: str, split: int) -> ep.LogisticRegression:
    """The posterior of one split."""
    n_features, n_rows = CASES[name]
    features, labels, _, _ = generate_data(n_features, n_rows, 1, seed=0)
    order = np.random.default_rng(split).permutation(n_rows)
    train, test = order[: 4 * n_rows // 5], order[4 * n_rows // 5 :]
    return ep.LogisticRegression(data=(features[train], labels[train], features[test], labels[test]))


def scores(system: ep.LogisticRegression, weights: np.ndarray, log_w: np.ndarray | None = None) -> dict:
    probability = system.predict(weights, log_weights=log_w)
    likelihood = np.where(system.test_labels > 0.5, probability, 1.0 - probability)
    return {
        "accuracy": accuracy(probability, system.test_labels),
        "auc": area_under_curve(probability, system.test_labels),
        "log_likelihood": float(np.log(likelihood).mean()),
    }


def hmc(system: ep.LogisticRegression, n_calls: int, seed: int) -> dict:
    """Four chains at about `n_calls` gradients, warm-up of a fifth included."""
    common = {"n_chains": 4, "n_threads": 1, "options": {"precondition": True}}
    pilot = ep.mcmc.run(system, "hmc", n_sweeps=200, n_warmup=100, seed=seed + 1000, **common)
    n_sweeps = max(100, int(n_calls / (pilot.attrs["n_gradient_calls"] / 300) / 1.2))
    thin = max(1, 4 * n_sweeps // N_DRAWS)
    chains = ep.mcmc.run(system, "hmc", n_sweeps=n_sweeps, seed=seed, thin=thin, keep=True, **common)
    points = chains["configurations"].to_numpy().reshape(-1, system.n_variables)
    estimates = ep.estimate(chains)
    return scores(system, points) | {
        "energy": float(estimates["energy"]),
        "energy_err": float(estimates["energy_err"]),
        "n_calls": int(chains.attrs["n_gradient_calls"]),
        "n_sweeps": n_sweeps,
        "seconds": float(chains.attrs["wall_time"]),
    }


def line_evidence(system: ep.LogisticRegression) -> float:
    """log evidence of two weights: trapezoidal rule, 12 standard deviations around the mode."""

    def value(w: np.ndarray) -> float:
        return float(system.energy(w[None])[0])

    found = scipy.optimize.minimize(value, np.zeros(2))
    root = np.linalg.cholesky(found.hess_inv)
    axis = np.linspace(-12.0, 12.0, 301)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    log_cell = 2.0 * np.log(axis[1] - axis[0]) + np.log(np.diag(root)).sum()
    return float(scipy.special.logsumexp(-system.energy(found.x + points @ root.T)) + log_cell)


def one_split(name: str, seed: int, quick: bool) -> dict:
    system = regression(name, seed)
    edg = ep.EDG(system, n_components=4).fit(seed=seed, n_steps=3 if quick else N_STEPS, progress=False)
    samples = edg.sample(500 if quick else N_DRAWS, seed=seed + 1, n_views=1, keep=True, progress=False)
    n_calls = 20_000 if quick else int(samples.attrs["n_energy_calls"])
    exact, err, chains = (line_evidence(system), 0.0, None) if name == "line" else (None, 0.0, None)
    if exact is None:
        chains = mbar_log_z(system, n_calls, seed)
        exact, err = chains["log_z"], chains["log_z_err"]
    row = edg_row(edg, samples, exact, err)
    row |= {name: float(ep.estimate(samples)[name]) for name in ("energy", "energy_err")}
    row |= scores(system, samples["configurations"].to_numpy(), samples["log_weight_joint"].to_numpy())
    same = hmc(system, n_calls, seed)
    long = same if quick else hmc(system, LONG * n_calls, seed + 500)
    return {"edg": row, "hmc": same, "hmc_long": long, "mbar": chains, "n_test": len(system.test_labels)}


def summary(results: dict[str, dict]) -> str:
    first, second = [], []
    for name in (n for n in CASES if n in results):
        runs = list(results[name].values())
        cells = [name, str(len(runs))]
        for score in ("accuracy", "auc"):
            values = {who: np.array([run[who][score] for run in runs]) for who in ("edg", "hmc", "hmc_long")}
            cells += [_mean(values["edg"]), _mean(values["hmc"]), _mean(values["hmc_long"])]
            cells.append(_mean(values["edg"] - values["hmc_long"]))
        first.append(cells)
        for seed, run in results[name].items():
            r = run["edg"]
            method = "quadrature" if run["mbar"] is None else "MBAR"
            other = f"{r['exact_log_z']:.5f}" if run["mbar"] is None else _found(run["mbar"])
            energy = z_score(
                r["energy"], r["energy_err"], *(run["hmc_long"][k] for k in ("energy", "energy_err"))
            )
            second.append(
                [
                    name,
                    seed,
                    pm(r["log_z"], r["log_z_err"]),
                    other,
                    method,
                    f"{r['z']:+.1f}",
                    f"{r['ess']:.3f}",
                    f"{energy:+.1f}",
                    f"{r['training_s']:.0f}",
                ]
            )
    heads = (
        "data|splits|accuracy: EDG|HMC|long HMC|EDG - long HMC|AUC: EDG|HMC|long HMC|EDG - long HMC",
        "data|seed|log evidence, EDG|other|method|z|joint ESS|z of the mean energy, long HMC|training (s)",
    )
    return "\n".join(table(h.split("|"), rows) for h, rows in zip(heads, (first, second), strict=True))


def _found(chains: dict) -> str:
    return pm(chains["log_z"], chains["log_z_err"])


def _mean(values: np.ndarray) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return pm(float(values.mean()), float(error))


def main(argv: list[str] | None = None) -> None:
    arguments = parser(__doc__, list(CASES), range(5)).parse_args(argv)
    torch.set_num_threads(1)
    seeds = arguments.seed[:1] if arguments.quick else arguments.seed
    results = {}
    for name in arguments.case[:2] if arguments.quick else arguments.case:
        results[name] = {str(seed): one_split(name, seed, arguments.quick) for seed in seeds}
        everything = store(arguments, FILE, results)
        print(name, "done", flush=True)
    print(summary(everything))


if __name__ == "__main__":
    main()
