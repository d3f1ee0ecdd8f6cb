# SPDX-License-Identifier: MIT
"""Generator and chain together as a method: by name, in a scan, from the command line; what it refuses."""

from __future__ import annotations

import json

import pytest
from helpers.own_systems import opened
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.errors import ArgumentTypeError, ArgumentValueError, NotExactError
from edgphys.methods import make
from edgphys.systems import Harmonic

LATTICE = lattices.build("square", (4, 4))
QUICK = {"n_samples": 1000, "n_sweeps": 600, "n_chains": 4}


def ising(temperature=2.3):
    return ep.Ising(LATTICE, temperature=temperature)


@pytest.mark.statistical
def test_log_z_and_observables_of_one_system():
    table = ep.free_energy(ising(), "bridge", seed=3, options={"n_steps": 2}, **QUICK)
    dataset.validate(table)
    exact = ising().exact_results()
    assert_z(float(table["log_z"]), float(table["log_z_err"]), exact["log_z"], n_tests=4, max_err=0.06)
    assert_z(float(table["energy"]), float(table["energy_err"]), exact["energy"], n_tests=4, max_err=0.5)
    assert_off(float(table["elbo"]), float(table["elbo_err"]), exact["log_z"], least=5.0, max_err=0.1)
    assert float(table["free_energy"]) == pytest.approx(-2.3 * float(table["log_z"]))
    assert (table.attrs["method"], table.attrs["algorithm"], table.attrs["seed"]) == ("bridge", "wolff", 3)
    assert json.loads(table.attrs["settings"])["n_reference"] == 4 * 600


@pytest.mark.statistical
def test_a_scan_has_it_beside_the_others_with_options_of_both_kinds():
    options = {"n_samples": 2000, "edg": {"n_steps": 2, "per_point": True}, "mcmc": {"n_sweeps": 600}}
    methods = ["bridge", "exact"]
    table = ep.scan(ising, temperature=[2.0, 3.0], methods=methods, seed=5, workers=1, **options)
    dataset.validate(table)
    estimate, exact = (table.sel({"method": name}) for name in methods)
    for k in range(2):
        log_z, err = float(estimate["log_z"][k]), float(estimate["log_z_err"][k])
        assert_z(log_z, err, float(exact["log_z"][k]), n_tests=2, max_err=0.05)
    settings = json.loads(table.attrs["settings"])["bridge"]
    assert settings["n_steps"] == 2 and settings["n_sweeps"] == 600
    assert json.loads(table.attrs["algorithms"])["bridge temperature=2"] == "wolff"


@pytest.mark.statistical
def test_one_model_serves_all_points_of_a_scan():
    options = {"n_samples": 2000, "edg": {"n_steps": 2}, "mcmc": {"n_sweeps": 600}}
    methods = ["bridge", "exact"]
    table = ep.scan(ising, temperature=[2.2, 2.6, 3.0], methods=methods, seed=6, workers=1, **options)
    estimate, exact = (table.sel({"method": name}) for name in methods)
    for k in range(3):
        log_z, err = float(estimate["log_z"][k]), float(estimate["log_z_err"][k])
        assert_z(log_z, err, float(exact["log_z"][k]), n_tests=3, max_err=0.05)
    assert json.loads(table.attrs["settings"])["bridge"]["conditions"] == {"temperature": [2.2, 3.0]}


def test_configurations_are_as_many_as_draws_unless_told():
    method = make("bridge", {"n_samples": 8000, "n_sweeps": 4000, "n_chains": 2})
    reference = method._reference(ising(), 1, None, False)
    assert reference.sizes["draw"] == 4000 and "configurations" in reference
    method = make("bridge", {"n_samples": 8000, "n_sweeps": 4000, "thin": 100})
    assert method._reference(ising(), 1, None, False).sizes["draw"] == 40
    assert make("bridge").beside_others().options.n_threads == 1
    assert make("bridge", {"n_views": 1, "n_sweeps": 50}).settings() == {"n_samples": 10_000, "n_sweeps": 50}


def test_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "bridge.nc"
    command = ["free-energy", "ising", "--extent", "4", "--temperature", "2.3", "--method", "bridge"]
    counts = ["--n-samples", "300", "--n-sweeps", "200", "--n-chains", "2", "--option", "n_steps=2"]
    assert main([*command, *counts, "--quiet", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "bridge" in shown and "log_z_upper" in shown and "wrote" in shown
    assert dataset.read(out).attrs["method"] == "bridge"
    assert main([*command, "--n-samples", "1", "--quiet", "--out", str(tmp_path / "a.nc")]) == 2
    assert "--n-samples must be an integer >= 2, got 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weights": "ode"}, ArgumentValueError, "weights must be left out for method='bridge', got 'ode'"),
        ({"n_anneal": 3}, ArgumentValueError, "n_anneal must be left out for method='bridge', got 3"),
        ({"n_stps": 3}, ArgumentTypeError, "edg: unknown option 'n_stps'; there are"),
        ({"n_sweeps": 15}, ArgumentValueError, "n_sweeps must be an integer >= 16, got 15"),
        ({"n_samples": 1}, ArgumentValueError, "n_samples must be an integer >= 2, got 1"),
    ],
)
def test_options_are_checked_before_the_training(options, error, message):
    with pytest.raises(error, match=message):
        make("bridge", options)


def test_what_has_no_chains_or_ladders_is_refused(monkeypatch):
    monkeypatch.setattr(ep.EDG, "fit", lambda *arguments, **settings: pytest.fail("training began"))

    with opened(Harmonic):

        class NoChains(Harmonic):
            family = name = "other"

    with pytest.raises(NotExactError, match="no algorithm of Markov chains serves other"):
        ep.free_energy(NoChains(), "bridge", seed=1)
    with pytest.raises(ValueError, match="n_rungs must be left out for method='bridge', got 4"):
        ep.free_energy(ising(), "bridge", seed=0, n_rungs=4)
