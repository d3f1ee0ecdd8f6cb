# SPDX-License-Identifier: MIT
"""log Z of the cases by MBAR, and exactly where it is known.

    python -m studies.lattice_records.references [--case NAME ...] [--seconds 120] [--error 0.003]

Where bonds do not cross and there is no field, log Z is exact (`edgphys.exact.planar`), and MBAR stands
beside it as a check. Elsewhere MBAR is the reference, from tempered chains on the way from free sites.

The path is that of `edgphys.free_energy`: the coupling J of the Ising model, or the hopping term of phi^4,
from 0 to its value, with swaps between the rungs, so that no rung hangs in one phase. Independent runs are
averaged until the error is small enough or the CPU time is spent. Cases that are in ``references.json``
already are not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

import edgphys as ep
from studies.common import hardware, pm, table, z_score
from studies.lattice_records.run import CASES
from studies.lattice_records.tables import FOLDER, put

FILE = FOLDER / "references.json"
NAMES = [name for name, case in CASES.items() if case.reference == "mbar"]
_N_CHAINS, _N_SWEEPS = 4, 5000


def exactly(name: str) -> dict[str, float]:
    """log Z of one case; empty where it is not known."""
    begin = time.process_time()
    known = CASES[name].system().exact_results()
    return (
        {"log_z": known["log_z"], "log_z_err": 0.0, "exact_cpu_s": time.process_time() - begin}
        if known
        else {}
    )


def by_mbar(name: str, seconds: float, error: float, n_sweeps: int = _N_SWEEPS) -> dict[str, Any]:
    """The mean of as many runs as it takes, or as `seconds` of CPU time give."""
    system, runs, costs, seed = CASES[name].system(), [], [], 0
    _try(system, 100, 0)  # compiles
    while True:
        begin = time.process_time()
        found = _try(system, n_sweeps, seed)
        costs.append(time.process_time() - begin)
        seed += 1
        if found is None:
            n_sweeps *= 4
        else:
            runs.append(found)
        if (runs and _error(runs) <= error) or sum(costs) + costs[-1] > seconds:
            break
    if not runs:
        raise SystemExit(f"{name}: chains of {n_sweeps} sweeps are too short; give more --seconds")
    return _together(runs) | {"n_sweeps": n_sweeps, "cpu_s": sum(costs)}


def _error(runs: list[dict[str, Any]]) -> float:
    """Of the mean of independent runs."""
    return math.sqrt(sum(one["log_z_err"] ** 2 for one in runs)) / len(runs)


def _together(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of runs of one length, with how far they scatter in units of their errors."""
    mean = sum(one["log_z"] for one in runs) / len(runs)
    square = sum(((one["log_z"] - mean) / one["log_z_err"]) ** 2 for one in runs)
    return runs[0] | {
        "log_z": mean,
        "log_z_err": _error(runs),
        "n_runs": len(runs),
        "chi_square_per_degree": square / (len(runs) - 1) if len(runs) > 1 else None,
        "n_energy_calls": sum(one["n_energy_calls"] for one in runs),
        "warning": "; ".join(sorted({one["warning"] for one in runs} - {""})),
    }


def _try(system: Any, n_sweeps: int, seed: int) -> dict[str, Any] | None:
    """One run; None where its chains are refused as too short."""
    size = {"n_chains": _N_CHAINS, "n_sweeps": n_sweeps, "n_threads": 1}
    try:
        table = ep.free_energy(system, "mbar", seed=seed, **size)
    except ep.errors.ShortChainError:
        return None
    found = {name: float(table[name]) for name in ("log_z", "log_z_err", "n_rungs", "overlap", "swap_rate")}
    return found | {
        "algorithm": table.attrs["algorithm"],
        "n_chains": _N_CHAINS,
        "n_energy_calls": int(table.attrs["n_energy_calls"]),
        "warning": table.attrs["warning"],
    }


def reference_table(there: dict[str, Any]) -> str:
    """Both, and what they cost."""
    rows = []
    for name in NAMES:
        if name in there:
            rows.append([name, *_of_exact(there[name]), *_of_mbar(there[name])])
    header = ["case", "exact", "CPU s", "MBAR", "z", "runs x chains x sweeps", "rungs", "CPU s"]
    return table(header, rows)


def _of_exact(one: dict[str, Any]) -> list[str]:
    return [f"{one['log_z']:.8g}", f"{one['exact_cpu_s']:.1f}"] if "exact_cpu_s" in one else ["", ""]


def _of_mbar(one: dict[str, Any]) -> list[str]:
    if "mbar" not in one:
        return [""] * 5
    mbar = one["mbar"]
    z = z_score(mbar["log_z"], mbar["log_z_err"], one["log_z"])
    size = f"{mbar['n_runs']} x {mbar['n_chains']} x {mbar['n_sweeps']}"
    pull = f"{z:+.1f}" if "exact_cpu_s" in one else ""
    return [
        pm(mbar["log_z"], mbar["log_z_err"]),
        pull,
        size,
        f"{mbar['n_rungs']:.0f}",
        f"{mbar['cpu_s']:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=NAMES, default=NAMES, help="default: all")
    parser.add_argument(
        "--seconds",
        type=float,
        default=120.0,
        help="CPU time of MBAR for a case, about; 0: none",
    )
    parser.add_argument("--error", type=float, default=0.003, help="of log Z, at which runs end")
    parser.add_argument("--table", action="store_true", help="no runs, only the table")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md too")
    arguments = parser.parse_args()
    for name in () if arguments.table else arguments.case:
        there = json.loads(FILE.read_text()) if FILE.exists() else {}
        found = dict(there.get(name, {}))
        if "exact_cpu_s" not in found:
            found |= exactly(name)
        if arguments.seconds > 0.0 and "mbar" not in found:
            mbar = by_mbar(name, arguments.seconds, arguments.error)
            found = {"log_z": mbar["log_z"], "log_z_err": mbar["log_z_err"]} | found | {"mbar": mbar}
        if found and found != there.get(name):
            there[name] = found | {"hardware": hardware()}
            FILE.write_text(json.dumps(there, indent=1) + "\n")
            print(name, there[name], flush=True)
    if FILE.exists():
        put("references", reference_table(json.loads(FILE.read_text())), arguments.readme)


if __name__ == "__main__":
    main()
