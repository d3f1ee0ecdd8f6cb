# SPDX-License-Identifier: MIT
r"""What densities and populations become: F = -T log p, at a temperature that is given or known."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from edgphys._checks import positive
from edgphys.estimators.draws import draw_dims

__all__ = ["positive_or_nan", "temperature_of"]


def temperature_of(samples: xr.Dataset, temperature: float | None) -> float:
    """The temperature that is given, else that of the attributes of `samples`."""
    draw_dims(samples)  # refuses what has no attributes to look into
    value: Any = samples.attrs.get("temperature") if temperature is None else temperature
    if value is None:
        raise ValueError("temperature must be given where the attributes of samples have none, got None")
    if getattr(value, "ndim", None) == 0:  # a scalar variable of a dataset
        value = value.item()
    return positive(value, "temperature")


def positive_or_nan(p: np.ndarray) -> np.ndarray:
    """p, and NaN in place of 0."""
    return np.where(p == 0.0, np.nan, p)
