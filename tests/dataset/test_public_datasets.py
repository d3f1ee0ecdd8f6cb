# SPDX-License-Identifier: MIT
"""Every public function that gives a dataset gives one that is written, read back and shown."""

from __future__ import annotations

import functools
import inspect
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from helpers.scaling_tables import by_law, falling
from rich.console import Console

import edgphys as ep
import lattices
from edgphys import dataset, estimators
from edgphys.dataset import netcdf
from edgphys.report.text import print_dataset
from edgphys.systems import sample_attrs


@functools.cache
def system():
    return ep.Ising(lattices.build("chain", (4,)), temperature=2.0)


@functools.cache
def chains():
    return ep.mcmc.run(system(), "metropolis", n_chains=2, n_sweeps=200, seed=1, keep=True)


@functools.cache
def ladder():
    return ep.mcmc.temper(system(), {"temperature": [2.0, 3.0]}, n_chains=2, n_sweeps=400, seed=1)


@functools.cache
def particles():
    two = ep.DoubleWellParticles(n_particles=2)
    return ep.mcmc.run(two, "hmc", n_chains=2, n_sweeps=100, seed=1, keep=True)


@functools.cache
def trained():
    return ep.EDG(system()).fit(seed=0, n_steps=2, progress=False)


@functools.cache
def conditional():
    edg = ep.EDG(system(), conditions={"temperature": (1.5, 2.5)})
    return edg.fit(seed=0, n_steps=2, progress=False)


def normal(seed):
    return np.random.default_rng(seed).standard_normal(50)


def exact():
    about = dict(wall_time=0.0, settings={}, n_energy_calls=0, n_gradient_calls=0)
    attrs = sample_attrs(system(), method="exact", seed=0, **about)
    return estimators.estimates_from_exact(system().exact_results(), attrs)


@functools.cache
def opened():
    with tempfile.TemporaryDirectory() as folder:
        return ep.open(dataset.write(chains(), Path(folder) / "chains.nc")).load()


def steps():
    chain = lattices.build("chain", (3,))
    return ep.scan(
        lambda n_slices: ep.TransverseIsing(chain, n_slices=n_slices),
        n_slices=[2, 3, 4],
        methods=["metropolis"],
        mcmc={"n_chains": 2, "n_sweeps": 400},
        seed=1,
        progress=False,
    )


MAKERS = {
    "EDG.sample": lambda: trained().sample(20, seed=1),
    "EDG.curve": lambda: conditional().curve([1.8, 2.2], 64, seed=1, n_nodes=2),
    "EDG.chain": lambda: trained().chain(200, seed=1),
    "EDG.bridge": lambda: trained().bridge(chains(), 20, seed=1),
    "EDG.history": lambda: trained().history,
    "EDG.upper_bound": lambda: trained().upper_bound(chains(), seed=1),
    "autocorrelation_times": lambda: estimators.autocorrelation_times(chains()),
    "average": lambda: ep.average(chains(), "energy"),
    "basins": lambda: ep.basins(chains(), lambda s: 1 * (s[:, 0] > 0), ["down", "up"]),
    "correlation_function": lambda: estimators.correlation_function(chains()),
    "correlations": lambda: ep.correlations(chains()),
    "density_of_states": lambda: ep.density_of_states(ladder()),
    "energy_histogram": lambda: ep.energy_histogram(chains(), 3),
    "estimate": lambda: ep.estimate(chains()),
    "estimates_from_exact": exact,
    "extrapolate_time_step": lambda: ep.extrapolate_time_step(steps()),
    "forward_ess": lambda: ep.forward_ess(normal(0)),
    "free_energy": lambda: ep.free_energy(system(), "ti", seed=0, n_chains=2, n_sweeps=400, n_rungs=3),
    "free_energy_profile": lambda: ep.free_energy_profile(chains(), "magnetization", 3),
    "mbar": lambda: estimators.mbar(ladder()),
    "mcmc.anneal": lambda: ep.mcmc.anneal(system(), 20, seed=1, n_rungs=2, progress=False),
    "mcmc.run": chains,
    "mcmc.rung": lambda: ep.mcmc.rung(ladder(), 1),
    "mcmc.temper": ladder,
    "merge": lambda: ep.merge([ep.estimate(chains()), exact()]),
    "mmd": lambda: ep.mmd(normal(0)[:, None], normal(1)[:, None]),
    "mmd polynomial": lambda: ep.mmd(normal(0)[:, None], normal(1)[:, None], kernel="polynomial"),
    "open": opened,
    "overlap": lambda: ep.overlap(chains(), 4),
    "pair_distances": lambda: ep.pair_distances(particles(), 3),
    "reweight": lambda: ep.reweight(ladder(), temperature=[2.5], n_resamples=2),
    "scaling.collapse": lambda: ep.scaling.collapse(
        by_law(1, falling), "binder_cumulant", n_resamples=2, nu=1.0, exponent=0.0
    ),
    "scaling.crossings": lambda: ep.scaling.crossings(by_law(1, falling), "binder_cumulant", n_resamples=50),
    "scan": lambda: ep.scan(
        lambda t: system().replace(temperature=t),
        temperature=[2.0],
        methods=["exact"],
        seed=0,
        progress=False,
    ),
    "structure_factor": lambda: ep.structure_factor(chains(), [np.pi]),
    "thermodynamic_integration": lambda: estimators.thermodynamic_integration(ladder()),
    "wasserstein": lambda: ep.wasserstein(normal(0), normal(1), 0),
}


def public_functions():
    """Names of public functions whose annotation says that they give a dataset."""
    places = {"": ep, "mcmc.": ep.mcmc, "scaling.": ep.scaling, "EDG.": ep.EDG}
    for name in estimators.__all__:
        places.setdefault("", ep)
        yield name, getattr(estimators, name)
    for prefix, place in places.items():
        for name in getattr(place, "__all__", dir(place)):
            if callable(getattr(place, name)) and not name.startswith("_"):
                yield prefix + name, getattr(place, name)


def test_no_public_function_is_left_out():
    giving = {"EDG.history"}  # a property
    for name, function in public_functions():
        if inspect.isfunction(function) and "Dataset" in str(inspect.signature(function).return_annotation):
            giving.add(name)
    assert giving == {name.split()[0] for name in MAKERS}


@pytest.mark.parametrize("name", MAKERS)
def test_every_public_dataset_is_written_read_and_shown(name, tmp_path):
    made = MAKERS[name]()
    dataset.validate(made)
    path = dataset.write(made, tmp_path / "made.nc")
    xr.testing.assert_identical(
        netcdf.load(path), xr.load_dataset(path, engine="h5netcdf", decode_times=False)
    )
    again = dataset.read(path)
    assert again.attrs["kind"] == made.attrs["kind"] in dataset.KINDS
    for variable in made.data_vars:
        np.testing.assert_array_equal(again[variable].values, made[variable].values)
    out = io.StringIO()
    print_dataset(again, console=Console(file=out, width=200))
    assert len(out.getvalue().splitlines()) > 3


NOT_REPEATED = {
    "basins": "a function of its own",
    "extrapolate_time_step": "its source was made in Python",
    "scaling.collapse": "its source was made in Python",
    "scaling.crossings": "its source was made in Python",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_every_public_dataset_is_computed_again_or_says_why_not(name):
    made = MAKERS[name]()
    function = "mcmc.run" if name == "open" else name.split()[0]  # what is opened keeps its record
    assert ep.provenance(made)["call"]["function"].endswith(function)
    if name in NOT_REPEATED:
        with pytest.raises(ep.errors.DatasetError, match=NOT_REPEATED[name]):
            ep.rerun(made)
    else:
        assert ep.rerun(made).is_same


def test_a_kind_has_the_dims_of_its_own():
    times = MAKERS["autocorrelation_times"]()
    for wrong, message in (
        (times.rename(quantity="other"), "times must have the dim quantity, got other"),
        (times.isel(quantity=0, drop=True), "times must have one dim, got "),
        (times.drop_vars("quantity"), "times must have the coordinate quantity"),
    ):
        with pytest.raises(ep.errors.DatasetError, match=message):
            dataset.validate(wrong)
    distance = MAKERS["wasserstein"]()
    with pytest.raises(ep.errors.DatasetError, match=r"variable distance must have the dims \(\)"):
        dataset.validate(distance.expand_dims("more"))
    with pytest.raises(ep.errors.DatasetError, match="bound must have the variable log_weight_reverse, got"):
        dataset.validate(chains().assign_attrs(kind="bound"))
    with pytest.raises(ep.errors.DatasetError, match="distance must have at least one variable, got none"):
        dataset.validate(xr.Dataset(attrs=distance.attrs))
