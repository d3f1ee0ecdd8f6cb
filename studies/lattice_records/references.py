# SPDX-License-Identifier: MIT
"""log Z of cases for which the package has no exact one: transfer matrices, or MBAR from tempered chains.

    python -m studies.lattice_records.references [--case NAME ...] [--seconds 120] [--error 0.003]

Planar Ising tori of twelve cells and the open square are summed exactly. The path of MBAR is that of
`edgphys.free_energy`: the coupling J of the Ising model, or the hopping term of phi^4, from 0 to its value,
with swaps between the rungs, so that no rung hangs in one phase. Independent runs are averaged until the
error is small enough or the CPU time is spent. Cases that are in ``references.json`` already are not run
again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

import edgphys as ep
from studies.common import hardware
from studies.lattice_records import transfer_matrix
from studies.lattice_records.run import CASES, T_C
from studies.lattice_records.tables import FOLDER

FILE = FOLDER / "references.json"
NAMES = [name for name, case in CASES.items() if case.reference == "mbar"]
_N_CHAINS, _N_SWEEPS = 4, 5000
EXACT = {
    "triangular": lambda: transfer_matrix.triangular(1.0 / T_C["triangular"], 12),
    "triangular-frustrated": lambda: transfer_matrix.triangular(-1.0, 12),
    "honeycomb": lambda: transfer_matrix.honeycomb(1.0 / T_C["honeycomb"], 12),
    "kagome": lambda: transfer_matrix.kagome(1.0 / T_C["kagome"], 12),
    "open": lambda: transfer_matrix.open_square(1.0 / T_C["square"], 16),
}


def reference(name: str, seconds: float, error: float, n_sweeps: int = _N_SWEEPS) -> dict[str, Any]:
    """log Z of one case: the mean of as many runs as it takes, or as `seconds` of CPU time give."""
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=NAMES, default=NAMES, help="default: all")
    parser.add_argument("--seconds", type=float, default=120.0, help="CPU time for a case, about")
    parser.add_argument("--error", type=float, default=0.003, help="of log Z, at which runs end")
    arguments = parser.parse_args()
    for name in arguments.case:
        there = json.loads(FILE.read_text()) if FILE.exists() else {}
        if name in there:
            continue
        if name in EXACT:
            found = {"log_z": EXACT[name](), "log_z_err": 0.0, "warning": "", "method": "transfer matrix"}
        else:
            found = reference(name, arguments.seconds, arguments.error) | {"method": "mbar"}
        there[name] = found | {"hardware": hardware()}
        FILE.write_text(json.dumps(there, indent=1) + "\n")
        print(name, there[name], flush=True)


if __name__ == "__main__":
    main()
