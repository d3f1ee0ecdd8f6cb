# SPDX-License-Identifier: MIT
"""Commands at one point: what they write and print, how they resume, and what is wrong with a command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.cli.app import main

EDG = "free-energy planar --method edg --out a.nc"
SCAN = "scan ising --extent 4 --temperature 2.5 --method edg --out a.nc"
ISING = ["ising", "--extent", "4", "--temperature", "2.5", "--quiet"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sample_writes_the_draws_of_run_and_prints_estimates_beside_exact(folder, capsys):
    options = [
        "--algorithm",
        "swendsen_wang",
        "--option",
        "improved=false",
        "--n-sweeps",
        "200",
        "--seed",
        "4",
    ]
    assert main(["sample", *ISING, *options, "--n-chains", "2", "--keep", "--out", "a.nc"]) == 0
    out = capsys.readouterr().out
    assert "binder_cumulant" in out and "exact" in out and "wrote a.nc" in out
    written = dataset.read("a.nc")
    system = ep.Ising(lattices.build("square", (4, 4)), temperature=2.5)
    same = ep.mcmc.run(system, "swendsen_wang", 2, 200, 4, keep=True, options={"improved": False})
    xr.testing.assert_equal(written, same)
    assert [file.name for file in folder.iterdir()] == ["a.nc"]
    assert main(["show", "a.nc"]) == 0
    assert "specific_heat" in capsys.readouterr().out


def test_a_stopped_command_goes_on_when_given_again(folder, monkeypatch, capsys):
    command = ["sample", *ISING, "--n-sweeps", "300", "--out", "a.nc"]
    driver = __import__("importlib").import_module("edgphys.mcmc.core.driver")
    monkeypatch.setattr(driver, "_UPDATES_PER_PIECE", 16 * 20)
    real, pieces = driver.Work._keep, []

    def stop(self, c):
        real(self, c)
        pieces.append(c)
        if len(pieces) == 30:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(driver.Work, "_keep", stop)
        assert main(command) == 130
    assert "running the same command again resumes" in capsys.readouterr().err
    assert [file.name for file in folder.iterdir()] == ["a.nc.chains"]
    assert main(command) == 0
    assert [file.name for file in folder.iterdir()] == ["a.nc"]
    resumed = dataset.read("a.nc")
    assert main([*command[:-1], "b.nc"]) == 0
    xr.testing.assert_equal(resumed, dataset.read("b.nc"))


@pytest.mark.slow
def test_temper_on_a_spaced_ladder(capsys):
    options = ["--temperature", "2.0:4.0:2", "--spaced", "4", "--n-sweeps", "300", "--n-chains", "2"]
    assert main(["temper", "ising", "--extent", "4", *options, "--quiet", "--out", "ladder.nc"]) == 0
    written = dataset.read("ladder.nc")
    rungs = written["temperature"].values
    assert written.attrs["kind"] == "ladder" and len(rungs) == 4 and (rungs[0], rungs[-1]) == (2.0, 4.0)
    assert "swap rate" in capsys.readouterr().out
    words = ["--temperature", "0.3,2.5,3.5", "--n-resamples", "20", "--quiet", "--out", "curve.nc"]
    assert main(["reweight", "ladder.nc", *words]) == 0
    curve, shown = dataset.read("curve.nc"), capsys.readouterr().out
    assert curve.attrs["kind"] == "curve" and curve["energy_resampled"].shape == (20, 3)
    assert "Reweighted from 4 rungs: " in shown
    assert main(["show", "curve.nc"]) == 0 and main(["plot", "curve.nc", "-o", "curve.png"]) == 0
    capsys.readouterr()
    assert main(["reweight", "ladder.nc", "--field", "0.2", "--out", "b.nc"]) == 2
    assert "field must be left out, as draws tell of temperature only" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["mbar", "ti"])
def test_free_energy_stands_beside_the_exact_value(capsys, method):
    command = ["free-energy", *ISING, "--method", method, "--n-sweeps", "800", "--out", "f.nc"]
    assert main(command) == 0
    estimates = dataset.read("f.nc")
    exact = ep.Ising(lattices.build("square", (4, 4)), temperature=2.5).exact_results()["log_z"]
    z = (float(estimates["log_z"]) - exact) / float(estimates["log_z_err"])
    assert abs(z) < 4 and float(estimates["log_z_err"]) < 0.1
    row = next(line.split() for line in capsys.readouterr().out.splitlines() if "log_z" in line)
    assert float(row[2]) == pytest.approx(exact, rel=1e-6) and np.isclose(float(row[3]), z, atol=0.06)


def test_systems_without_a_lattice_and_other_parameters():
    words = ["double-well", "--temperature", "1", "-p", "n_dims=2", "--parameter", "barrier=3"]
    assert main(["sample", *words, "--n-sweeps", "100", "--quiet", "--out", "a.nc"]) == 0
    written = dataset.read("a.nc")
    assert written.attrs["system"] == "double_well" and '"barrier": 3.0' in written.attrs["parameters"]


def test_a_parameter_may_be_a_name_as_in_python():
    words = ["lennard-jones", "-p", "n_particles=2", "-p", "pair_count=twice"]
    assert main(["sample", *words, "--n-sweeps", "100", "--quiet", "--out", "a.nc"]) == 0
    assert '"pair_count": 2' in dataset.read("a.nc").attrs["parameters"]


@pytest.mark.parametrize("left", ["mbar", "edg"])
@pytest.mark.parametrize("method", ["mbar", "edg"])
def test_the_file_of_an_unfinished_command_is_named_and_kept(folder, capsys, monkeypatch, left, method):
    sampler = __import__("importlib").import_module("edgphys.edg.sampler")
    driver = __import__("importlib").import_module("edgphys.mcmc.core.driver")

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    short = {
        "mbar": "--method mbar --n-sweeps 100 --quiet --out a.nc".split(),
        "edg": "--method edg --option n_steps=2 --option n_components=1 --quiet --out a.nc".split(),
    }
    with monkeypatch.context() as patch:
        patch.setattr(sampler.EDG, "sample", stop)
        # The ladder alone has a file.
        real = driver.Work._keep
        patch.setattr(driver.Work, "_keep", lambda work, c: (stop if work.store else real)(work, c))
        assert main(["free-energy", "double-well", *short[left]]) == 130
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert "a.nc.chains" in before
    capsys.readouterr()
    assert main(["free-energy", "harmonic", *short[method]]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("edgphys: error: --out: a.nc.chains")
    assert ", left by an unfinished command, " in err
    assert err.endswith("; name another --out or remove that file\n") and err.count("\n") == 1 and not out
    assert ("belongs to" in err) == (left == method)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("command", ["scan", "free-energy"])
def test_settings_of_edg_reach_it_by_name(folder, command):
    words = "ising --extent 4 --temperature 2.5 --method edg --n-samples 50 --quiet --out a.nc"
    options = ["n_steps=2", "training=energy", "root=edg", "n_views=2"]
    assert main([command, *words.split(), *(word for one in options for word in ("--option", one))]) == 0
    told = json.loads(dataset.read("a.nc").attrs["settings"])
    told = told["edg"] if command == "scan" else told | {"training": told["training"]["training"]}
    assert {name: told[name] for name in ("training", "root", "n_views")} == {
        "training": "energy",
        "root": "edg",
        "n_views": 2,
    }


def test_a_scan_of_a_system_without_a_lattice(folder, capsys):
    assert main("scan double-well --temperature 1 --method wolff --out a.nc".split()) == 2
    names = "edg, random_walk, mala, hmc, bridge, mcmc, mbar, ti, exact"
    assert f"method must be one of {names}" in capsys.readouterr().err
    options = ["--temperature", "1:2:2", "--n-sweeps", "300", "--quiet", "--out", "a.nc"]
    assert main(["scan", "double-well", *options]) == 0
    assert dataset.read("a.nc")["method"].values.tolist() == ["mcmc", "exact"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("sample ising --temperature 2:3:2 --out a.nc", "--temperature must be one value here, got 2"),
        ("sample ising --temperature 2 --algorithm hmc --out a.nc", "algorithm must be one of metropolis"),
        ("sample ising --temperature 2 --field 0.1 --algorithm wolff --out a.nc", "field"),
        (
            "sample ising --temperature 2 --option order --out a.nc",
            "--option must be name=value, got 'order'",
        ),
        ("sample ising --temperature 2 --option ordr=1 --out a.nc", "options of"),
        ("sample ising --temperature 2 --device cpu --out a.nc", "--device belongs to --model, got cpu"),
        (
            "free-energy ising --temperature 2 --device cpu --out a.nc",
            "--device must be left out for method='mbar', got 'cpu'",
        ),
        ("sample ising --temperature 2 --n-sweeps 0 --out a.nc", "--n-sweeps must be an integer >= 1, got 0"),
        ("sample ising --temperature 2 --out none/a.nc", "the folder none does not exist"),
        ("sample ising --temperature 2 --out a.txt", "--out must end in .nc"),
        ("sample ising --temperature 2 --out there.nc", "there.nc exists"),
        ("sample double_well -p depth=2 --out a.nc", "error: -p depth is no parameter of double_well"),
        (
            "sample double_well -p n_dims=x --out a.nc",
            "error: -p n_dims must be start:stop:count, or a number",
        ),
        ("sample double_well -p n_dims=1,2 --out a.nc", "error: -p n_dims must be one value here, got 2"),
        (
            "sample double_well --parameter n_dims=3 --out a.nc",
            "error: --parameter n_dims must be an integer from 1 to 2",
        ),
        ("sample lennard_jones -p pair_count=thrice --out a.nc", 'error: -p pair_count must be 1 ("once")'),
        ("sample planar --lattice kagome --extent 3x3 --out a.nc", "got --lattice kagome --extent 3x3"),
        ("sample double_well -p barrier=2 -p barrier=3 --out a.nc", "must not give a parameter twice"),
        ("sample double_well -p barrier --out a.nc", "--parameter must be name=values"),
        ("temper ising --temperature 2 --out a.nc", "needs a coupling with several VALUES"),
        ("temper ising --temperature 2:3:3 --n-samples 9 --out a.nc", "No such option: --n-samples"),
        (
            "temper many-well -p n_dims=2:6:3 --out a.nc",
            "error: -p n_dims cannot be tempered, as it changes the number of variables: give one value, got",
        ),
        ("temper planar -p preset=ring,mog2 --out a.nc", "error: -p preset must be one name here, got 2"),
        ("temper ising --temperature 2:3:3 --field 0:1:3 --spaced 4 --out a.nc", "--spaced must go with one"),
        ("free-energy ising --temperature 2 --method bar --out a.nc", "method must be one of mbar, ti"),
        ("free-energy planar --open --out a.nc", "must be left out for planar, which has none, got --open"),
        (
            "sample ising --extent 4x3 --pbc z --temperature 2 --out a.nc",
            "error: --periodic must name axes among x, y, each once, got 'z'",
        ),
        (
            "sample ising --extent 4 --open --periodic x --temperature 2 --out a.nc",
            "error: --periodic must be left out with --open, got 'x'",
        ),
        (
            "free-energy planar --n-samples 20 --out a.nc",
            "--n-samples must be left out for method='mbar', got 20",
        ),
        (f"{EDG} --n-sweeps -5", "--n-sweeps must be left out for method='edg', got -5"),
        (f"{EDG} --n-chains 0", "--n-chains must be left out for method='edg', got 0"),
        (f"{EDG} --n-samples 0", "--n-samples must be an integer >= 2, got 0"),
        (f"{EDG} --option weights=foo", "--option weights must be one of path, ode, got 'foo'"),
        (f"{EDG} --option n_anneal=-2", "--option n_anneal must be an integer >= 0, got -2"),
        (f"{SCAN} --option training=foo", "--option training must be one of auto, energy, chains, both"),
        (f"{SCAN} --option root=foo", "--option root must be one of autoregressive, edg, got 'foo'"),
        (f"{SCAN} --option n_views=0", "--option n_views must be"),
        (f"{EDG} --option decoder_size=32", "--option decoder_size must be 2 integers"),
    ],
)
def test_wrong_command_is_one_line_and_writes_nothing(folder, capsys, command, message):
    (folder / "there.nc").write_text("kept")
    assert main(command.split()) == 2
    out, err = capsys.readouterr()
    assert err.startswith("edgphys: error: ") and err.count("\n") == 1 and message in err
    assert not out and [file.name for file in folder.iterdir()] == ["there.nc"]
    assert (folder / "there.nc").read_text() == "kept"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A generator for temperatures from 1.5 to 3."""
    path = tmp_path_factory.mktemp("models") / "model.pt"
    system = ep.Ising(lattices.build("chain", (4,)), temperature=2.0)
    edg = ep.EDG(system, conditions={"temperature": (1.5, 3.0)})
    edg.fit(seed=0, n_steps=2, progress=False).save(path)
    return path


def test_a_curve_of_a_saved_generator(folder, model, capsys):
    command = ["curve", str(model), "--temperature", "1.6:2.8:4", "--n-samples", "160", "--n-nodes", "4"]
    assert main([*command, "--option", "n_views=2", "--seed", "3", "--quiet", "--out", "curve.nc"]) == 0
    out = capsys.readouterr().out
    assert "log_z" in out and "Draws from 4 nodes" in out and "wrote curve.nc" in out
    written = dataset.read("curve.nc")
    same = ep.EDG.load(model).curve([1.6, 2.0, 2.4, 2.8], 160, seed=3, n_nodes=4, n_views=2)
    xr.testing.assert_identical(written.drop_attrs(), same.drop_attrs())
    assert [file.name for file in folder.iterdir()] == ["curve.nc"]
    assert main(["show", "curve.nc", "-v", "energy"]) == 0
    assert main(["plot", "curve.nc", "-v", "energy", "-o", "curve.png"]) == 0
    assert (folder / "curve.png").exists()


def test_draws_of_a_saved_generator(model, capsys):
    command = ["sample", "--algorithm", "edg", "--model", str(model), "--temperature", "2.4"]
    assert main([*command, "--n-samples", "60", "--seed", "5", "--quiet", "--keep", "--out", "draws.nc"]) == 0
    assert "ess" in capsys.readouterr().out
    written = dataset.read("draws.nc")
    same = ep.EDG.load(model).sample(60, seed=5, keep=True, temperature=2.4)
    xr.testing.assert_identical(written.drop_attrs(), same.drop_attrs())
    assert written.attrs["temperature"] == 2.4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "curve MODEL --temperature 1:2:3",
            "--temperature must be in [1.5, 3], for which the model is, got 1",
        ),
        ("curve MODEL --temperature 2:2.5", "--temperature must be start:stop:count, or a number"),
        ("curve MODEL --field 0:1:3", "values must be a dict of one of temperature to an array, got field"),
        ("curve MODEL", "one coupling must have several values, as in --temperature 1.8:3.2:200, got none"),
        ("curve MODEL --temperature 2:3:3 --n-samples 9", "--n-samples must be an integer >= 384, got 9"),
        ("curve nowhere.pt --temperature 2:3:3", "there is no file nowhere.pt"),
        ("sample --model MODEL --temperature 5", "--temperature must be in [1.5, 3], for which the model is"),
        ("sample --model MODEL --temperature 2:3:3", "--temperature must be one value here, got 3; a curve"),
        ("sample --model MODEL --n-sweeps 5", "--n-sweeps belongs to Markov chains, not to --model, got 5"),
        ("sample --model MODEL --algorithm wolff", "--algorithm must be edg with --model, got 'wolff'"),
        ("sample ising --model MODEL", "SYSTEM must be left out with --model, which is of one, got 'ising'"),
        ("sample --algorithm edg", "--model must be given for --algorithm edg: a generator that"),
        ("sample ising --extent 4 --temperature 2 --n-samples 5", "--n-samples belongs to --model, got 5"),
        ("sample", "SYSTEM must be given (edgphys systems lists them), or --model, a trained generator"),
    ],
)
def test_what_is_wrong_with_a_generator_is_one_line(folder, model, capsys, words, message):
    assert main([*words.replace("MODEL", str(model)).split(), "--out", "a.nc"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("edgphys: error: ") and message in line
    assert not list(folder.iterdir())
