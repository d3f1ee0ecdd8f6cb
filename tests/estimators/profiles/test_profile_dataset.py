# SPDX-License-Identifier: MIT
"""Datasets of kind "profile": valid, saved, read, shown; the public names; planar targets by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import edgphys as ep
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.errors import DatasetError
from edgphys.systems import build
from edgphys.systems.continuous.planar_presets import PRESETS

PUBLIC = (
    "average",
    "basins",
    "energy_histogram",
    "forward_ess",
    "free_energy_profile",
    "mmd",
    "pair_distances",
    "wasserstein",
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def samples():
    system = ep.DoubleWellParticles(n_particles=2)
    return ep.mcmc.run(system, "hmc", n_chains=2, n_sweeps=200, seed=1, keep=True)


MAKERS = {
    "energy_histogram": lambda samples: ep.energy_histogram(samples, 5),
    "pair_distances": lambda samples: ep.pair_distances(samples, 6),
    "free_energy_profile": lambda samples: ep.free_energy_profile(samples, "radius_of_gyration", 4),
    "basins": lambda samples: ep.basins(
        samples, lambda x: 1 * (np.linalg.norm(x[:, 0] - x[:, 1], axis=1) > 4.0), ["near", "far"]
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_profiles_are_written_read_and_shown(name, samples, capsys):
    profile = MAKERS[name](samples)
    dataset.validate(profile)
    dataset.write(profile, "profile.nc")
    again = dataset.read("profile.nc")
    xr.testing.assert_equal(again.drop_vars(list(again.coords)), profile.drop_vars(list(profile.coords)))
    (dim,) = profile.dims
    assert again[dim].values.tolist() == profile[dim].values.tolist()
    assert again.attrs["kind"] == "profile" and again.attrs["system"] == "double_well_particles"
    assert main(["show", "profile.nc"]) == 0
    shown = capsys.readouterr().out.split()
    assert dim in shown and ("near" in shown if name == "basins" else "density" in shown)


def test_what_is_no_profile_is_refused(samples):
    profile = MAKERS["energy_histogram"](samples)
    with pytest.raises(DatasetError, match="profile must have the coordinate more"):
        dataset.validate(profile.expand_dims("more"))
    with pytest.raises(DatasetError, match="profile must have the coordinate energy"):
        dataset.validate(profile.drop_vars("energy"))
    with pytest.raises(DatasetError, match="must be float64"):
        dataset.validate(profile.assign(density=profile.density.astype(np.float32)))
    with pytest.raises(DatasetError, match="to be merged, got profile"):
        dataset.merge([profile, profile])


def test_radius_of_gyration_is_averaged_and_profiled(samples):
    table = ep.average(samples, "radius_of_gyration")
    radius = np.linalg.norm(samples["configurations"].values[:, :, 0], axis=2)  # of two particles, d / 2
    assert float(table.radius_of_gyration) == pytest.approx(radius.mean())
    assert float(ep.estimate(samples).radius_of_gyration) == pytest.approx(radius.mean(), rel=0.02)


def test_public_names_are_those_of_the_estimators():
    for name in PUBLIC:
        assert name in ep.__all__ and getattr(ep, name) is getattr(ep.estimators, name)
        assert "Parameters" in getattr(ep, name).__doc__


@pytest.mark.parametrize("preset", PRESETS)
def test_planar_targets_are_rebuilt_from_their_parameters(preset):
    system = build("planar", preset=preset, temperature=1.5)
    again = build("planar", **json.loads(json.dumps(system.parameters)))
    assert again.identity() == system.identity() and again.preset == preset


def test_planar_targets_on_the_command_line(capsys):
    options = ["--n-sweeps", "200", "--n-chains", "2", "--quiet"]
    assert main(["sample", "planar", "-p", "preset=mog9", *options, "--out", "a.nc"]) == 0
    assert json.loads(dataset.read("a.nc").attrs["parameters"]) == {"preset": "mog9", "temperature": 1.0}
    assert "preset=mog9" in capsys.readouterr().out
    command = ["scan", "planar", "-p", "preset=ring", "--temperature", "1,2", "--method", "hmc"]
    assert main([*command, "--method", "exact", *options, "--out", "s.nc"]) == 0
    table = dataset.read("s.nc")
    assert table["temperature"].values.tolist() == [1.0, 2.0]
    exact = build("planar", preset="ring", temperature=2.0).exact_results()["log_z"]
    assert float(table["log_z"].sel({"method": "exact"})[1]) == pytest.approx(exact)
    assert main(["systems"]) == 0
    listed = capsys.readouterr().out
    assert "mog2_i" in listed and "(default mog2)" in listed and "(default 1)" in listed


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("sample planar -p preset=mog3", "preset must be one of mog2, mog2_i, mog6, mog9"),
        ("sample planar -p preset=mog2,mog9", "-p preset must be one value here, got 2"),
        ("scan planar -p preset=mog2,mog9 --temperature 1,2", "-p preset must be one name here, got 2"),
        ("temper planar -p preset=mog2,mog9", "-p preset must be one name here, got 2"),
    ],
)
def test_wrong_names_are_one_line(command, message, folder, capsys):
    assert main([*command.split(), "--out", "a.nc"]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1 and not list(folder.iterdir())


@pytest.mark.slow
def test_free_energy_of_a_well_stands_beside_the_exact_one(capsys):
    command = "free-energy double-well --temperature 1 -p tilt=0.5 --n-sweeps 600 --quiet --out f.nc"
    assert main(command.split()) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    exact = ep.DoubleWell(tilt=0.5).exact_results()
    for name in ("log_z", "free_energy_difference", "right"):
        row = next(row for row in rows if row and row[0] == name)
        assert float(row[2]) == pytest.approx(exact[name], rel=1e-6) and abs(float(row[3])) < 5
