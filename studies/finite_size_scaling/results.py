# SPDX-License-Identifier: MIT
"""Tables into README.md, and the picture of the collapse."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr

from studies.common import hardware, pm, table
from studies.lattice_records.tables import put

T_C = 2.0 / math.log(1.0 + math.sqrt(2.0))
LENGTHS = (8, 16, 32, 64)


def put_tables(
    folder: Path,
    crossings: xr.Dataset,
    cumulant: dict[int, xr.Dataset],
    susceptibility: dict[int, xr.Dataset],
    magnetization: dict[int, xr.Dataset],
) -> None:
    """What is found beside what is exact: T_c, nu = 1, gamma/nu = 7/4, beta/nu = 1/8."""
    rows = [
        [f"{a:.0f}, {b:.0f}", pm(t, s), _pull(t, s, T_C), pm(u, v)]
        for a, b, t, s, u, v in zip(*(crossings[name].values for name in _CROSSING), strict=True)
    ]
    put("crossings", table(["L", "T at the crossing", "pull", "U_4 there"], rows), True, folder / "README.md")
    rows = []
    for n in cumulant:
        found = [
            (cumulant[n], "critical_coupling", 1.0, T_C),
            (cumulant[n], "nu", 1.0, 1.0),
            (susceptibility[n], "exponent", 1.0, 1.75),
            (magnetization[n], "exponent", -1.0, 0.125),
        ]
        cells = [_cell(*each) for each in found]
        chi2 = ", ".join(f"{float(each['chi2_per_point']):.2f}" for each in _parts(found))
        rows.append([f"{LENGTHS[n]} to {LENGTHS[-1]}", *cells, chi2])
    heads = ["L", "T_c", "nu", "gamma/nu", "beta/nu", "chi2 per point (U_4, chi, abs m)"]
    put("collapse", table(heads, rows), True, folder / "README.md")
    put("hardware", hardware(), True, folder / "README.md")


_CROSSING = ("length", "length_other", "crossing", "crossing_err", "value", "value_err")


def _parts(found: list) -> list[xr.Dataset]:
    return [found[0][0], found[2][0], found[3][0]]


def _pull(value: float, error: float, true: float) -> str:
    return f"{(value - true) / error:+.1f}"


def _cell(found: xr.Dataset, name: str, sign: float, true: float) -> str:
    value, error = sign * float(found[name]), float(found[f"{name}_err"])
    return f"{pm(value, error)} ({_pull(value, error, true)})"


def picture(path: Path, scans: list[xr.Dataset], collapse: xr.Dataset) -> None:
    """Binder cumulants over the temperature, and on one curve."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 2.8), layout="constrained")
    for length, scan in zip(LENGTHS, scans, strict=True):
        one = scan.isel(method=0)
        values, errors = one["binder_cumulant"], one["binder_cumulant_err"]
        left.errorbar(one["temperature"], values, errors, fmt="o-", ms=3, lw=0.8, label=f"L = {length}")
        at = np.flatnonzero(collapse["length"].values == length)
        points = collapse.isel(point=at)
        right.errorbar(
            points["x"], points["y"], points["y_err"], fmt="o", ms=3, color=left.lines[-1].get_color()
        )
    left.axvline(T_C, color="black", lw=0.6)
    left.set(xlabel="temperature", ylabel="$U_4$")
    right.set(xlabel=r"$(T - T_c)\,L^{1/\nu}$", ylabel="$U_4$")
    left.legend(frameon=False)
    figure.savefig(path, dpi=150)
