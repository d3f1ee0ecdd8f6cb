# SPDX-License-Identifier: MIT
"""What the cells of a scan have made of their settings, defaults resolved, by method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgphys.scans.cell import Result
from edgphys.scans.grid import Key

__all__ = ["settings_of"]

# Measured, or no part of what is computed.
_MEASURED = ("training_time", "n_energy_calls", "n_gradient_calls", "plateau_step", "measured", "n_threads")


def settings_of(results: Mapping[Key, Result]) -> dict[str, Any]:
    """Settings by method: what all its cells have in common; names of the others as ``differ``.

    Examples
    --------
    >>> cells = {("wolff", "t=2"): {"n_sweeps": 100, "n_warmup": 20, "tuned": 1.0}}
    >>> cells |= {("wolff", "t=3"): {"n_sweeps": 100, "n_warmup": 20, "tuned": 2.0}}
    >>> settings_of({key: {"settings": one} for key, one in cells.items()})
    {'wolff': {'n_sweeps': 100, 'n_warmup': 20, 'differ': ['tuned']}}
    """
    by_method: dict[str, list[dict[str, Any]]] = {}
    for (method, _), result in results.items():
        if result.get("settings"):  # cells of before had none
            by_method.setdefault(method, []).append(_set(result["settings"]))
    return {method: _common(cells) for method, cells in by_method.items()}


def _set(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _set(value) if isinstance(value, dict) else value
        for name, value in settings.items()
        if name not in _MEASURED
    }


def _common(cells: list[dict[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for cell in cells for name in cell if name != "differ")
    common = {
        name: cells[0][name]
        for name in names
        if name in cells[0] and all(cell.get(name) == cells[0][name] for cell in cells)
    }
    differ = [name for name in names if name not in common]
    return common | ({"differ": differ} if differ else {})
