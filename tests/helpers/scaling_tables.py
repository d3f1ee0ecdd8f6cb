# SPDX-License-Identifier: MIT
"""Curves that obey a scaling law exactly, but for errors that are drawn."""

from __future__ import annotations

import numpy as np
import xarray as xr

T_C, NU, GAMMA = 2.269185, 1.25, 1.75
TEMPERATURES = np.linspace(2.2, 2.34, 9)


def curve(length, values, errors, quantity="binder_cumulant"):
    """A dataset of kind "curve", as far as scaling reads it."""
    return xr.Dataset(
        {quantity: ("temperature", values), f"{quantity}_err": ("temperature", errors)},
        coords={"temperature": TEMPERATURES},
        attrs={"kind": "curve", "couplings": '["temperature"]', "linear_size": float(length)},
    )


def by_law(seed, function, exponent=0.0, relative=1e-3, lengths=(8, 16, 32), **more):
    """L^exponent f((T - T_c) L^(1/nu)) at all sizes, each value with an error of its own."""
    rng = np.random.default_rng(seed)
    made = []
    for length in lengths:
        values = length**exponent * function((TEMPERATURES - T_C) * length ** (1.0 / NU))
        errors = relative * np.abs(values)
        made.append(curve(length, values + errors * rng.standard_normal(len(values)), errors, **more))
    return made


def falling(x):
    """Like a Binder cumulant."""
    return 0.33 * (1.0 - np.tanh(0.4 * x - 0.8))


def peaked(x):
    """Like a susceptibility."""
    return 1.0 / (1.0 + x**2 / 10.0)
