# SPDX-License-Identifier: MIT
"""Imports run one way, from geometry to the command line; the contract is in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    return subprocess.run(
        [*command, "--config", str(folder / "pyproject.toml"), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_imports_run_one_way():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_import_against_the_order_is_found(tmp_path):
    import shutil

    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("edgphys", "lattices"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with open(tmp_path / "lattices" / "numbering.py", "a") as file:
        file.write("\nfrom edgphys.systems import Ising\n")
    result = lint(tmp_path)
    assert result.returncode != 0 and "lattices.numbering -> edgphys.systems" in result.stdout


@pytest.mark.parametrize(
    "name", ["edgphys", "edgphys.cli", "edgphys.dataset", "edgphys.report.text", "edgphys.report.figure"]
)
def test_light_modules_do_not_start_torch_or_netket(name):
    code = f"import sys, {name}; print(sorted({{'torch', 'netket', 'jax', 'numba'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stdout + result.stderr
