# SPDX-License-Identifier: MIT
"""Lattice samplers trained at easier couplings: weighed for the system, annealed to it, exact either way."""

import json

import numpy as np
import pytest
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys.edg.targets.eased import EasedTarget
from edgphys.methods.registry import make

ISING = ep.Ising(lattices.build("square", (4, 4)), temperature=3.2)
WEAK = ISING.replace(temperature=4.0, field=0.2)
HOT = {"temperature": 4.5}
FIELD = ep.Phi4(lattices.build("chain", (8,)), kappa=0.3, lam=0.1)
SMALL = {"decoder_size": (8, 8)}
SAMPLERS = {
    "ising": lambda: ep.EDG(ISING, train_at=HOT, **SMALL),
    "in a field": lambda: ep.EDG(WEAK, train_at={"temperature": 5.0, "field": 0.0}, **SMALL),
    "phi4": lambda: ep.EDG(FIELD, train_at={"kappa": 0.1}, **SMALL),
    "edg root": lambda: ep.EDG(ISING, train_at=HOT, root="edg", encoder_size=(4, 1), **SMALL),
}
CASES = [("ising", 0, 1), ("ising", 5, 8), ("ising", 50, 1), ("in a field", 0, 4), ("in a field", 5, 4)]
CASES += [("phi4", 0, 4), ("phi4", 5, 4), ("edg root", 0, 4), ("edg root", 5, 4)]


def drawn(edg, n, n_anneal, n_views=1, **more):
    return edg.sample(n, seed=1, n_anneal=n_anneal, n_views=n_views, progress=False, **more)


def ratio(samples, log_z):
    """Mean weight over Z, and its error."""
    w = np.exp(samples["log_weight_joint"].values - log_z)
    return w.mean(), w.std() / len(w) ** 0.5


@pytest.mark.statistical
@pytest.mark.parametrize("name, n_anneal, n_views", CASES)
def test_mean_weight_is_z_of_the_system_untrained(name, n_anneal, n_views):
    edg = SAMPLERS[name]()
    samples, exact = drawn(edg, 2000, n_anneal, n_views), edg.system.exact_results()
    assert samples.attrs["temperature"] == edg.system.temperature
    assert_z(*ratio(samples, exact["log_z"]), 1.0, n_tests=2 * len(CASES), max_err=0.08)
    table = ep.estimate(samples)
    error = float(table["energy_err"])
    assert_z(float(table["energy"]), error, exact["energy"], n_tests=2 * len(CASES), max_err=0.8)
    assert_off(*ratio(samples, exact["log_z"] + 0.6), 1.0, least=6.0, max_err=0.08)


@pytest.mark.statistical
def test_a_ladder_that_begins_elsewhere_is_seen(monkeypatch):
    monkeypatch.setattr(EasedTarget, "training_system", ISING.replace(temperature=6.0))
    log_z = ISING.exact_results()["log_z"]
    assert_off(*ratio(drawn(SAMPLERS["ising"](), 2000, 20), log_z), 1.0, least=6.0, max_err=0.2)


def test_draws_themselves_have_the_weights_of_the_easier_system_times_the_change():
    for name in ("ising", "phi4", "edg root"):
        edg = SAMPLERS[name]()
        changes = dict(edg.options["train_at"])
        options = {key: value for key, value in edg.options.items() if key != "train_at"}
        easy = drawn(ep.EDG(edg.system.replace(**changes), **options), 50, 0, keep=True)
        draws = drawn(edg, 50, 0, keep=True)
        np.testing.assert_array_equal(easy["configurations"], draws["configurations"])
        expected = easy["log_weight_joint"] + easy["reduced_energy"] - draws["reduced_energy"]
        np.testing.assert_allclose(draws["log_weight_joint"], expected, rtol=1e-9, atol=1e-5)


@pytest.mark.statistical
def test_trained_sampler_is_annealed_by_as_many_rungs_as_it_takes():
    edg = ep.EDG(ISING.replace(temperature=2.3), train_at={"temperature": 3.2}, **SMALL)
    edg.fit(0, n_steps=40, batch_size=16, progress=False)
    plain, annealed = (drawn(edg, 2000, n, "auto") for n in (0, None))
    settings, exact = json.loads(annealed.attrs["settings"]), edg.system.exact_results()
    assert settings["n_anneal"] >= 16 and settings["ess_start"] > 0.8 and settings["n_views"] == 8
    tables = [ep.estimate(samples) for samples in (plain, annealed)]
    for table in tables:
        assert_z(float(table.log_z), float(table.log_z_err), exact["log_z"], n_tests=2, max_err=0.05)
    assert float(tables[1].ess) > float(tables[0].ess) + 0.1
    # One energy for the work of a rung, about one for its sweep.
    more = annealed.attrs["n_energy_calls"] - plain.attrs["n_energy_calls"]
    assert more > 2000 * settings["n_anneal"] * 1.5
    # Configurations of the chains it learned from are weighed for the start; they are not of the end.
    assert annealed.attrs["n_sent_back"] == 256 and plain.attrs["n_sent_back"] == 4 * 200


@pytest.mark.statistical
def test_chain_of_annealed_proposals():
    chain = SAMPLERS["ising"]().chain(2000, seed=2, n_anneal=10, n_views=2, progress=False)
    table = ep.estimate(chain)
    assert_z(float(table.energy), float(table.energy_err), ISING.exact_results()["energy"], max_err=1.0)


@pytest.mark.statistical
def test_upper_bound_is_that_of_the_system():
    edg, log_z = SAMPLERS["ising"](), ISING.exact_results()["log_z"]
    reference = ep.mcmc.run(ISING, "wolff", n_chains=2, n_sweeps=400, seed=0, keep=True)
    below, above = ep.estimate(drawn(edg, 1000, 0))["elbo"], edg.upper_bound(reference, seed=3)
    assert float(below) < log_z < float(above["log_weight_reverse"].mean())


def test_saved_sampler_draws_the_same(tmp_path):
    edg = SAMPLERS["ising"]().fit(0, n_steps=2, batch_size=8, progress=False)
    edg.save(tmp_path / "model.pt")
    again = ep.EDG.load(tmp_path / "model.pt")
    assert again.options["train_at"] == HOT and again.can_anneal
    one, two = (drawn(each, 40, 3, 2) for each in (edg, again))
    np.testing.assert_array_equal(one["log_weight_joint"], two["log_weight_joint"])


def test_reference_must_be_of_the_easier_system():
    runs = [
        ep.mcmc.run(system, "wolff", n_chains=2, n_sweeps=20, seed=0, keep=True)
        for system in (ISING, ISING.replace(**HOT))
    ]
    with pytest.raises(ValueError, match=r"reference must be of .*temperature=4\.5"):
        SAMPLERS["ising"]().fit(0, n_steps=1, reference=runs[0], progress=False)
    SAMPLERS["ising"]().fit(0, n_steps=1, batch_size=4, reference=runs[1], progress=False)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"train_at": {"heat": 2.0}}, "train_at must be a dict from some of temperature, field to numbers"),
        ({"train_at": 3.0}, "train_at must be a dict from some of temperature, field to numbers"),
        ({"train_at": {"temperature": -1.0}}, "temperature must be positive"),
        ({"train_at": HOT, "decoder": "field"}, "train_at is no option of decoder='field'"),
    ],
)
def test_bad_easier_couplings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ep.EDG(ISING, **options)


def test_a_sampler_with_conditions_has_no_easier_couplings():
    with pytest.raises(ValueError, match="conditions"):
        ep.EDG(ISING, train_at=HOT, conditions={"temperature": (2.0, 4.0)})


def test_without_easier_couplings_there_is_nothing_to_anneal():
    plain = ep.EDG(ISING, **SMALL)
    assert not plain.can_anneal and SAMPLERS["ising"]().can_anneal and ep.EDG(ep.DoubleWell()).can_anneal
    with pytest.raises(ValueError, match=r"n_anneal must be 0 for the system ising, got 5; .* \(train_at\)"):
        plain.sample(10, 0, n_anneal=5)
    make("edg", {"n_anneal": 5, "train_at": HOT}).check([ISING])
