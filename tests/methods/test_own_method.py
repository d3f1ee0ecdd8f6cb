# SPDX-License-Identifier: MIT
"""A method of one's own, from its class to the picture; what a scan asks of it, and how often."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr
from helpers.stats import assert_z
from rich.console import Console

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys._checks import count
from edgphys.errors import ArgumentTypeError, ArgumentValueError, DatasetError, UnknownNameError
from edgphys.methods import AbstractMethod, Look
from edgphys.methods.registry import looks_of
from edgphys.report.text import print_scan

LATTICE = lattices.build("square", (3, 3))
TEMPERATURES = [2.5, 4.0]


@dataclass(frozen=True)
class UniformOptions:
    n_draws: int = 4000

    def __post_init__(self) -> None:
        count(self.n_draws, "n_draws", 2)


class UniformDraws(AbstractMethod):
    """Z as 2^N times the mean Boltzmann factor of uniform spins, drawn once for all points."""

    name = "uniform"
    look = Look("uniform draws", "#332288", "h")

    def __init__(self, **options):
        self.options = UniformOptions(**options)

    def applies_to(self, system):
        return None if system.family == "ising" else "system must have spins"

    def prepare(self, systems, seed, checkpoint=None):
        shape = self.options.n_draws, systems[0].n_variables
        return np.random.default_rng(seed).choice([-1.0, 1.0], shape)

    def run(self, system, seed, artefact=None, checkpoint=None):
        log_w = -system.beta * system.energy(artefact)
        weight = np.exp(log_w - log_w.max())
        log_z = np.log(weight.mean()) + log_w.max() + len(artefact[0]) * np.log(2.0)
        error = weight.std() / weight.mean() / np.sqrt(len(weight))
        values = {"log_z": log_z, "log_z_err": error, "largest": weight.max() / weight.sum()}
        return xr.Dataset(values, attrs={"kind": "estimates", "method": self.name, **system.attrs()})


def make(temperature):
    return ep.Ising(LATTICE, temperature=temperature)


def run(*methods, **options):
    options = {"seed": 3, "temperature": TEMPERATURES, "workers": 1} | options
    return ep.scan(make, methods=list(methods), **options)


def shown(table):
    console = Console(file=io.StringIO(), width=200)
    print_scan(table, console=console)
    return console.file.getvalue()


@pytest.mark.statistical
def test_it_goes_through_scan_file_table_and_picture(tmp_path):
    table = run(UniformDraws(n_draws=5000), "exact", out=tmp_path / "scan.nc")
    for temperature in TEMPERATURES:
        point = table.sel(temperature=temperature)
        cell, known = point.sel({"method": "uniform"}), float(point["log_z"].sel({"method": "exact"}))
        assert_z(float(cell["log_z"]), float(cell["log_z_err"]), known, n_tests=2, max_err=0.2)
    assert json.loads(table.attrs["settings"]) == {"uniform": {"n_draws": 5000}, "exact": {}}
    table = dataset.read(tmp_path / "scan.nc")
    assert "uniform" in shown(table) and "z uniform" in shown(table)
    figure = ep.plot(table, ["log_z"])
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"exact", "uniform draws"}
    colours = {line.get_color() for axes in figure.axes for line in axes.get_lines()}
    assert "#332288" in colours


def test_merged_scans_still_know_its_look():
    merged = dataset.merge([run("exact"), run(UniformDraws(n_draws=50))])
    dataset.validate(merged)
    assert looks_of(merged.attrs, ["exact", "uniform"])["uniform"] == UniformDraws.look


def test_a_file_is_extended_by_it_and_its_settings_count(tmp_path):
    run("exact", out=tmp_path / "scan.nc")
    table = run("exact", UniformDraws(), out=tmp_path / "scan.nc")
    assert np.isfinite(table["log_z"]).all()
    with pytest.raises(DatasetError, match="n_draws of uniform is the default there and 50 here"):
        run("exact", UniformDraws(n_draws=50), out=tmp_path / "scan.nc")


@pytest.mark.parametrize("workers", [1, 3])
def test_systems_and_what_points_share_are_made_once(workers):
    made, prepared = [], []

    class Counted(UniformDraws):
        def prepare(self, systems, seed, checkpoint=None):
            prepared.append(systems)
            return super().prepare(systems, seed, checkpoint)

    def counted(temperature):
        made.append(temperature)
        return make(temperature)

    methods, options = [Counted(), "wolff", "mcmc", "exact"], {"n_sweeps": 64, "n_chains": 2}
    ep.scan(counted, methods=methods, temperature=TEMPERATURES, seed=3, mcmc=options, workers=workers)
    assert made == TEMPERATURES
    assert [[system.temperature for system in systems] for systems in prepared] == [TEMPERATURES]


def test_what_points_share_does_not_depend_on_what_is_finished(tmp_path):
    table = run(UniformDraws(), temperature=TEMPERATURES)
    partial = tmp_path / "scan.nc.partial"

    class Stops(UniformDraws):
        def run(self, system, seed, artefact=None, checkpoint=None):
            if system.temperature == TEMPERATURES[1]:
                raise KeyboardInterrupt
            return super().run(system, seed, artefact, checkpoint)

    with pytest.raises(KeyboardInterrupt):
        run(Stops(), out=tmp_path / "scan.nc")
    assert len(list(partial.glob("cell-*.json"))) == 1
    xr.testing.assert_equal(run(UniformDraws(), out=tmp_path / "scan.nc")["log_z"], table["log_z"])


def test_dask_computes_it_too():
    from distributed import Client

    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        table = ep.scan(make, methods=[UniformDraws()], seed=3, temperature=TEMPERATURES, scheduler=client)
    xr.testing.assert_equal(table["log_z"], run(UniformDraws())["log_z"])


def test_what_it_does_not_serve_is_refused_in_one_line():
    with pytest.raises(
        UnknownNameError, match=r"one of edg, .* exact for the system double_well, got 'uniform': sys"
    ):
        ep.scan(lambda t: ep.DoubleWell(temperature=t), methods=[UniformDraws()], seed=1, t=[1.0])
    with pytest.raises(ArgumentValueError, match="n_draws must be an integer >= 2, got 1"):
        UniformDraws(n_draws=1)
    with pytest.raises(ArgumentValueError, match="methods must not name a method twice"):
        run(UniformDraws(), UniformDraws(n_draws=50))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"name": "a b"}, ArgumentValueError, "methods must have names of one word, got 'a b'"),
        ({"name": "a/b"}, ArgumentValueError, "methods must have names of one word, got 'a/b'"),
        ({"run": lambda *arguments: {}}, ArgumentTypeError, "run of method 'uniform' must give .*, got dict"),
    ],
)
def test_a_wrong_class_is_refused_in_one_line(changes, error, message):
    with pytest.raises(error, match=message):
        run(type("Wrong", (UniformDraws,), changes)())
