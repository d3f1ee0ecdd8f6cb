# SPDX-License-Identifier: MIT
"""How often error bars of one standard error cover the truth, on AR(1) series with known answers.

Mean, error and tau_int of x_t = a x_{t-1} + sqrt(1 - a^2) noise are exact: 0, sqrt(2 tau_int / n) and
tau_int = (1 + a) / (1 - a) / 2. Nominal coverage is 68.27 %. Methods: ``gamma`` (mean), ``gamma_tau``
(tau_int by tau_int_err), ``gamma_tau_square`` (the same for the series x^2, with a^2 in place of a),
``gamma_accepted`` (mean, of those that pass the limits on R-hat, halves, window and n_eff), ``binning`` and
``binning_accepted`` (mean, of those with a plateau), and the derived quantities of three independent series
x, u, v: ``specific_heat`` (variance of x), ``susceptibility`` (mean of u^2), ``binder_cumulant`` (of u),
``correlation_length`` (of the ratio (4 + u) / (1 + 0.2 u + 0.2 v)).

    python studies/mcmc_reference/error_coverage.py [--seed 0] [--n-series 1000]

Output: coverage.json beside this file, one row per method, a, length and number of chains. The name
coverage.py would hide a package that numba looks for.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import scipy.signal
import xarray as xr

from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.chains.binning import log_binning
from edgphys.estimators.chains.chain_estimates import project, unbiased
from edgphys.estimators.chains.convergence import R_HAT_LIMIT, halves_limit, halves_z, r_hat
from edgphys.estimators.chains.verdict import MIN_N_EFF
from edgphys.estimators.derived import read_primaries

SEED = 0
N_SERIES = 1000
MAX_DRAWS = 12_000_000  # of all series of a row together: longer ones get fewer series, or are left out
N_JUDGED = 500  # series whose limits are computed: R-hat takes ten times as long as the rest
LENGTHS = (50, 100, 200, 400, 1000, 4000)  # n / (2 tau_int)
LENGTHS_DERIVED = (50, 200, 1000)
EXACT = {
    "specific_heat": 1.0,
    "susceptibility": 1.0,
    "binder_cumulant": 0.0,
    "correlation_length": np.sqrt(3.0) / (2.0 * np.sin(np.pi / 4.0)),
}
ATTRS = {"temperature": 1.0, "beta": 1.0, "n_sites": 1, "linear_size": 4.0, "z2_symmetric": 1}


def ar1(shape: tuple[int, ...], a: float, rng: np.random.Generator) -> np.ndarray:
    """Stationary from the first draw on, unit variance, autocorrelation a^t along the last axis."""
    start = a * rng.standard_normal((*shape[:-1], 1))
    noise = rng.standard_normal(shape)
    return scipy.signal.lfilter([np.sqrt(1 - a**2)], [1.0, -a], noise, axis=-1, zi=start)[0]


def means(x: np.ndarray, tau_int: float, judged: bool) -> dict[str, float]:
    """z of mean and tau_int of one set of chains, shape (n_chains, n_draws); NaN where not accepted."""
    gamma, square, binned = gamma_method(x), gamma_method(x**2), log_binning(x)
    a = (2 * tau_int - 1) / (2 * tau_int + 1)
    tau_square = 0.5 * (1 + a**2) / (1 - a**2)
    z = gamma.mean / gamma.err
    accepted = judged and gamma.closed and x.size > MIN_N_EFF * 2.0 * gamma.tau_int
    accepted = accepted and r_hat(x) < R_HAT_LIMIT and not abs(halves_z(x)) > halves_limit(1)
    return {
        "gamma": z,
        "gamma_tau": (gamma.tau_int - tau_int) / gamma.tau_int_err,
        "gamma_tau_square": (square.tau_int - tau_square) / square.tau_int_err,
        "gamma_accepted": z if accepted else np.nan,
        "binning": binned.mean / binned.err,
        "binning_accepted": binned.mean / binned.err if binned.converged else np.nan,
    }


def derived(x: np.ndarray, u: np.ndarray, v: np.ndarray) -> dict[str, float]:
    """z of the derived quantities, as `edgphys.estimate` computes them."""
    columns = {
        "energy": x,
        "magnetization_2": u**2,
        "magnetization_4": u**4,
        "correlator_zero": 4.0 + u,
        "correlator_min": 1.0 + 0.2 * u + 0.2 * v,
    }
    dims = ("chain", "draw")
    samples = xr.Dataset({name: (dims, values) for name, values in columns.items()}, attrs=ATTRS)
    primaries = read_primaries(samples, dims)
    plain, series = project(primaries)
    tau_int = max(gamma_method(column).tau_int for column in primaries.columns[:-1])
    values = plain | unbiased(primaries, tau_int)
    return {name: (values[name] - exact) / gamma_method(series[name]).err for name, exact in EXACT.items()}


def rows(a: float, length: int, n_chains: int, n_series: int, rng: np.random.Generator) -> list[dict]:
    """One row per method; none if the series would be too long."""
    tau_int = 0.5 * (1 + a) / (1 - a)
    n_draws = max(int(np.ceil(length * 2 * tau_int / n_chains)), 16)
    n_series = min(n_series, MAX_DRAWS // (n_chains * n_draws))
    if n_series < 600:
        return []
    z = [means(ar1((n_chains, n_draws), a, rng), tau_int, k < N_JUDGED) for k in range(n_series)]
    table = {name: np.array([one[name] for one in z]) for name in z[0]}
    table["gamma_accepted"] = table["gamma_accepted"][:N_JUDGED]
    n_derived = min(n_series, 1000)
    if length in LENGTHS_DERIVED and n_derived * n_chains * n_draws <= MAX_DRAWS // 4:
        z = [derived(*ar1((3, n_chains, n_draws), a, rng)) for _ in range(n_derived)]
        table |= {name: np.array([one[name] for one in z]) for name in z[0]}
    common = {"a": a, "tau_int": tau_int, "n_over_2tau": length, "n_chains": n_chains}
    common["n"] = n_chains * n_draws
    return [common | {"method": name} | summary(values) for name, values in table.items()]


def summary(z: np.ndarray) -> dict:
    """Coverage with its binomial error, mean and variance of z; None where hardly any series was accepted."""
    used = z[np.isfinite(z)]
    result = {"n_series": len(z), "fraction": len(used) / len(z)}
    if len(used) < 100:
        return result | {"coverage": None, "coverage_err": None, "mean_z": None, "var_z": None}
    inside = float(np.mean(np.abs(used) < 1.0))
    return result | {
        "coverage": round(inside, 4),
        "coverage_err": round(float(np.sqrt(inside * (1 - inside) / len(used))), 4),
        "mean_z": round(float(used.mean()), 3),
        "var_z": round(float(used.var(ddof=1)), 3),
    }


def main() -> None:
    """Measure, write coverage.json, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--n-series", type=int, default=N_SERIES)
    options = parser.parse_args()
    begin, table = time.perf_counter(), []
    grid = [(a, length, c) for a in (0.0, 0.5, 0.9, 0.99) for length in LENGTHS for c in (1, 8)]
    for child, case in zip(np.random.SeedSequence(options.seed).spawn(len(grid)), grid, strict=True):
        for row in rows(*case, options.n_series, np.random.default_rng(child)):
            table.append(row)
            shown = "  -  " if row["coverage"] is None else f"{row['coverage']:.3f}"
            print(f"a={row['a']:<4} n={row['n']:<7} chains={row['n_chains']} {row['method']:18} {shown}")
    result = {
        "command": "python studies/mcmc_reference/error_coverage.py",
        "seed": options.seed,
        "nominal": 0.6827,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "wall_time_s": round(time.perf_counter() - begin, 1),
        "rows": table,
    }
    (Path(__file__).parent / "coverage.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
