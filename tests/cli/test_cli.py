# SPDX-License-Identifier: MIT
"""The command line: what it prints and writes, and that anything wrong is one line, exit code 2, no file."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from helpers.scans import install_stub_edg, stub_scan

import edgphys
from edgphys import dataset
from edgphys.cli.app import main
from edgphys.cli.system_arguments import COUPLINGS
from edgphys.cli.values import parse_extent, parse_options, parse_values

SCAN = ["scan", "ising", "--extent", "3", "--method", "edg", "--method", "exact", "--n-samples", "200"]
GOOD = [*SCAN, "--temperature", "2.0:3.0:3", "--out", "scan.nc"]


@pytest.fixture
def stub(monkeypatch):
    return install_stub_edg(monkeypatch)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(text: str) -> str:
    """Without colours, boxes and the breaks of lines that depend on the width."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", text).split())


# ------------------------------------------------------------------------------------------ what it does


def test_scan_show_plot(stub, folder, capsys):
    assert main(GOOD) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"wrote scan\.nc \(2 methods at 3 points\) in \d+\.\d s\n", out)
    assert "/6] edg        temperature=2 " in err and "[6/6]" in err
    table = dataset.read("scan.nc")
    assert table["temperature"].values.tolist() == [2.0, 2.5, 3.0]
    assert json.loads(table.attrs["parameters"]) == {"coupling": 1.0, "field": 0.0}

    assert main(["show", "scan.nc"]) == 0
    shown = words(capsys.readouterr().out)
    assert "ising on square 3x3 periodic coupling=1 field=0 seed 0" in shown
    assert "result temperature edg exact z edg against" in shown
    assert "joint space" in shown

    assert main(["plot", "scan.nc", "-o", "scan.png", "-v", "log_z", "-v", "energy"]) == 0
    assert re.fullmatch(r"wrote scan\.png in \d+\.\d s\n", capsys.readouterr().out)
    assert (folder / "scan.png").read_bytes().startswith(b"\x89PNG")


def test_scan_passes_on_its_options(stub, folder, capsys):
    words_of = "--coupling 0.5 --field 0,0.1 --temperature 2.0 --seed 7 --n-steps 5 --quiet --out scan.nc"
    words_of += " --option batch_size=64 --option n_steps=9"
    methods = ["--method", "metropolis", "--n-sweeps", "32", "--n-chains", "2", "--open"]
    assert main([*SCAN, *methods, *words_of.split()]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("wrote scan.nc (3 methods at 2 points) in ") and not err
    table = dataset.read("scan.nc")
    assert table["energy"].dims == ("method", "field") and table.attrs["seed"] == 7
    assert json.loads(table.attrs["parameters"]) == {"temperature": 2.0, "coupling": 0.5}
    assert table.attrs["pbc"] == [0, 0]
    settings = json.loads(table.attrs["settings"])
    assert settings["edg"] == {"n_samples": 200, "n_steps": 5, "batch_size": 64, "n_views": "auto"}
    assert settings["metropolis"] == {"n_sweeps": 32, "n_chains": 2}


@pytest.mark.slow
def test_settings_go_to_the_generator_or_to_the_chains(stub):
    chains = "--method swendsen_wang --n-sweeps 32 --n-chains 2 --n-warmup 8 --thin 2 --option improved=false"
    words = ["--temperature", "2.5", *chains.split(), "--option", "batch_size=64", "--quiet", "--out", "a.nc"]
    assert main([*SCAN, *words]) == 0
    settings = json.loads(dataset.read("a.nc").attrs["settings"])
    assert settings["edg"] == {"n_samples": 200, "batch_size": 64, "n_views": "auto"}
    of_chains = {"n_sweeps": 32, "n_chains": 2, "n_warmup": 8, "thin": 2, "options": {"improved": False}}
    assert settings["swendsen_wang"] == of_chains


@pytest.mark.parametrize(
    ("options", "line", "n_trained"),
    [
        ([], "edg: one model for temperature 2 to 3 (3 points)", 1),
        (["--per-point"], "edg: a model per point (3 points)", 3),
        (["--option", "per_point=true"], "edg: a model per point (3 points)", 3),
        (["--coupling", "1:2:2"], "edg: a model per point: the points differ in more than", 6),
    ],
)
def test_the_first_line_says_what_a_scan_trains(monkeypatch, capsys, options, line, n_trained):
    stub = install_stub_edg(monkeypatch, conditional=True)
    assert main([*GOOD, *options]) == 0
    assert capsys.readouterr().err.startswith(line)
    assert len(stub.trained) == n_trained


@pytest.mark.parametrize(
    "couplings",
    ["--kappa 0.1:0.2:2 --lam 0.022", "--m2 1.0,2.0 --lam 0.5 --convention flow", "--kappa 0.2 --lam 0.02"],
)
def test_scan_of_phi4(stub, folder, couplings):
    command = "scan phi4 --extent 3x4 --method metropolis --n-sweeps 32 --n-chains 2 --quiet --out f.nc"
    assert main([*command.split(), *couplings.split()]) == 0
    table = dataset.read("f.nc")
    name = couplings.split()[0].removeprefix("--")
    assert table["energy"].dims == ("method", name)
    assert table.attrs["extent"] == [3, 4]
    assert np.isfinite(table["phi2"]).all()


def test_one_point_scans_the_first_coupling(stub, folder):
    assert main([*SCAN, "--temperature", "2.5", "--out", "scan.nc", "--quiet"]) == 0
    assert dataset.read("scan.nc")["energy"].dims == ("method", "temperature")


def test_interrupted_scan_resumes(stub, folder, capsys):
    stub.fail_at = 1
    assert main([*GOOD, "--workers", "1"]) == 130
    err = capsys.readouterr().err
    assert err.endswith("edgphys: interrupted; running the same command again resumes\n")
    assert (folder / "scan.nc.partial").is_dir() and not (folder / "scan.nc").exists()
    stub.fail_at = None
    assert main([*GOOD, "--workers", "2"]) == 0
    assert "1 of 6 cells were finished before" in capsys.readouterr().err
    assert len(stub.log) == 3 and [file.name for file in folder.iterdir()] == ["scan.nc"]


def test_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"edgphys {edgphys.__version__}\n"
    metadata = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert metadata["project"]["dynamic"] == ["version"]  # written in one place, where the build reads it
    assert metadata["tool"]["hatch"]["version"]["path"] == "edgphys/__init__.py"


def test_systems_lists_parameters_and_exact_results(capsys):
    from edgphys import systems

    assert main(["systems"]) == 0
    shown = words(capsys.readouterr().out)
    for record in systems.available():
        assert record.name in shown and record.energy in shown
        own = {name: f"-p {name}=VALUE" for name in (parameter.name for parameter in record.parameters)}
        own |= {name: f"--{name}" for name in COUPLINGS}
        assert all(f"{own[parameter.name]} {parameter.meaning}" in shown for parameter in record.parameters)
    assert "-p barrier=VALUE height of the barrier, positive (default 4)" in shown and "--n_dims" not in shown
    assert "square" in shown and "kagome" in shown


# ------------------------------------------------------------------------------------------ the table


def show(table, capsys, *options):
    dataset.write(table, "stub.nc", overwrite=True)
    assert main(["show", "stub.nc", *options]) == 0
    return capsys.readouterr().out


def test_table_has_errors_and_z_scores(capsys):
    text = show(stub_scan(z=2.0), capsys, "-v", "energy")
    rows = [line.split() for line in text.splitlines()]
    # value 2 sigma above -60 T with an error of one percent
    assert ["energy", "2.0", "-117.6(1.2)", "-117.6(1.2)", "-120", "+2.0", "+2.0", "exact"] in rows
    assert ["2.6", "-152.9(1.6)", "-152.9(1.6)", "-156", "+2.0", "+2.0"] in rows


def test_table_without_exact_compares_methods(capsys):
    text = words(show(stub_scan(methods=("edg", "wolff"), z=1.0), capsys, "-v", "energy"))
    assert "energy 2.0 -118.8(1.2) -118.8(1.2) +0.0 wolff" in text


def test_table_names_what_is_not_trusted(capsys):
    table = stub_scan()
    table["converged"][1, 0] = 0
    table.attrs["warnings"] = json.dumps({"wolff temperature=2": "r_hat 1.2 above 1.01"})
    text = words(show(table, capsys))
    assert "NOT TRUSTED: wolff at temperature=2: r_hat 1.2 above 1.01" in text
    assert "wolff 2.0 - - 2.1 1.002 - no 2.0" in text
    assert "NOT TRUSTED: edg" not in text


def test_symmetric_magnetization_is_not_shown(capsys):
    table = stub_scan()
    table["magnetization"], table["magnetization_err"] = table["energy"] * 0, table["energy_err"] * 0
    assert " magnetization" not in show(table, capsys)
    assert " magnetization" in show(table.assign_attrs(z2_symmetric=0), capsys)


# ------------------------------------------------------------------------------------------ what is wrong


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--extent 0 --temperature 2", "extent must be integers >= 2"),
        ("--extent 1 --temperature 2", "extent must be integers >= 2"),
        ("--extent 2 --temperature 2", "joins some sites of lattice 'square' twice"),
        ("--extent 8by8 --temperature 2", "--extent must be integers such as 16 or 16x8, got '8by8'"),
        ("--extent 4x4x4 --temperature 2", "extent must have 2 entries"),
        ("--temperature=-1.0", "temperature must be positive and finite, got -1.0"),
        ("--temperature 2.0:2.7", "'2.0:2.7' (no count)"),
        ("--temperature 2.0:2.7:0", "the count must be at least 1"),
        ("--temperature 2.0:2.7:1", "the count must be at least 2"),
        ("--temperature 2.0:2.7:3:4", "must be start:stop:count"),
        ("--temperature warm", "--temperature must be start:stop:count"),
        ("--temperature nan", "temperature must be a non-empty sequence of finite numbers"),
        ("", "ising needs --temperature"),
        (
            "--kappa 0.2 --temperature 2",
            "--kappa is no parameter of ising here; it takes temperature, coupling",
        ),
        ("--convention flow --temperature 2", "--convention belongs to phi4"),
        ("--lattice penrose --temperature 2", "lattice must be one of chain, chain-j1j2, cubic, "),
        ("--lattice missing.toml --temperature 2", "missing.toml"),
        ("--method annealing --temperature 2", "must be one of edg, metropolis,"),
        ("--method hmc --temperature 2", "got 'hmc'"),
        ("--method edg --temperature 2", "must not name a method twice"),
        ("--n-samples 0 --temperature 2", "--n-samples must be an integer >= 2, got 0"),
        ("--n-steps=-1 --temperature 2", "--n-steps must be an integer >= 0, got -1"),
        ("--device abacus --temperature 2", "--device must be one that torch has here, got 'abacus'"),
        ("--seed=-1 --temperature 2", "seed must be an integer"),
        ("--seed x --temperature 2", "--seed"),
        ("--workers 0 --temperature 2", "workers must be an integer >= 1, got 0"),
        ("--temprature 2", "No such option"),
        ("--out missing/scan.nc --temperature 2", "the folder missing does not exist"),
        ("--out scan.txt --temperature 2", "--out must end in .nc, got 'scan.txt'"),
    ],
)
def test_wrong_scan_is_one_line_and_no_file(stub, folder, capsys, options, message):
    assert main([*SCAN, "--out", "scan.nc", *options.split()]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("edgphys: error: ") and err.count("\n") == 1 and message in err
    assert not out and not list(folder.iterdir()) and not stub.log


@pytest.fixture(scope="module")
def spoilt_files(tmp_path_factory):
    """Good datasets, and files that are none, by name."""
    place = tmp_path_factory.mktemp("files")
    dataset.write(stub_scan(), place / "good.nc")
    chains = edgphys.mcmc.run(edgphys.DoubleWell(), "hmc", 2, 20, 0)
    dataset.write(edgphys.estimate(chains), place / "estimates.nc")
    (place / "text.nc").write_text("no netCDF")
    (place / "torn.nc").write_bytes((place / "good.nc").read_bytes()[:4000])
    stub_scan().assign_attrs(schema_version=2).to_netcdf(place / "future.nc", engine="h5netcdf")
    return {file.name: file.read_bytes() for file in place.iterdir()}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("scan plots --temperature 2 --out a.nc", "system must be one of ising, phi4, .*, got 'plots'"),
        ("scan phi4 --kappa 0.2 --out a.nc", "phi4 needs --lam"),
        ("scan phi4 --m2 1 --lam 1 --out a.nc", "--convention must be flow or standard"),
        ("scan phi4 --m2 1 --lam 1 --convention my --out a.nc", "convention must be 'flow' or 'standard'"),
        ("scan phi4 --kappa 0.2 --lam 1 --lattice kagome --out a.nc", "kagome"),
        (
            "scan planar --lattice nosuch --extent foo --out a.nc",
            "must be left out for planar, .*got --lattice",
        ),
        ("scan planar --open --out a.nc", "options of a lattice must be left out for planar, .*got --open"),
        ("scan planar --pbc --allow-double-bonds --out a.nc", "got --pbc --allow-double-bonds"),
        ("scan planar -p preset=mog2,mog9 --out a.nc", "error: -p preset must be one name here, got 2"),
        (
            "scan many-well -p n_dims=2,4,6 --out a.nc",
            "error: -p n_dims cannot be scanned, as it changes the number of variables: .* got 2, 4, 6",
        ),
        (
            "scan lennard_jones -p pair_count=1,2 --out a.nc",
            "error: -p pair_count cannot be scanned, as it changes the definitions",
        ),
        ("scan double_well -p n_dims=3 --out a.nc", "error: -p n_dims must be an integer from 1 to 2, got 3"),
        ("scan ising --temperature 2", "Missing option '--out'"),
        ("scan", "Missing argument"),
        ("", "Missing command"),
        ("sacn", "No such command"),
        ("show", "Missing argument"),
        ("show missing.nc", "missing.nc"),
        ("show text.nc", "text.nc"),
        ("show torn.nc", "torn.nc"),
        ("show future.nc", "schema_version must be 1, got 2"),
        ("show good.nc -v enthalpy", "variables must be among log_z, .*got 'enthalpy'"),
        (
            "plot estimates.nc -v entropy -o a.png",
            "variables must be among .*got 'entropy'",
        ),
        ("plot good.nc", "Missing option"),
        ("plot good.nc -o missing/a.png", "folder missing does not exist"),
        ("plot good.nc -o good.nc", "good.nc exists"),
        ("plot good.nc -o a.bmpp", "path must end in one of"),
    ],
)
def test_wrong_command_is_one_line_and_leaves_files_as_they_were(
    stub, folder, capsys, spoilt_files, command, message
):
    for name, content in spoilt_files.items():
        (folder / name).write_bytes(content)
    assert main(command.split()) == 2
    out, err = capsys.readouterr()
    assert err.startswith("edgphys: error: ") and err.count("\n") == 1 and re.search(message, err)
    assert not out and spoilt_files == {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_file_that_is_called_like_an_argument_keeps_its_name(stub, folder, capsys):
    words = [word.replace("scan.nc", "out.nc") for word in GOOD]
    assert main([*words, "--quiet"]) == 0 and main([*words, "--quiet"]) == 2
    assert ": out.nc exists and is complete" in capsys.readouterr().err


def test_existing_file_is_kept_unless_overwritten(stub, folder, capsys):
    assert main([*GOOD, "--quiet"]) == 0
    before = (folder / "scan.nc").read_bytes()
    assert main([*GOOD, "--quiet"]) == 2
    assert "scan.nc exists and is complete; name another file, or overwrite it" in capsys.readouterr().err
    assert (folder / "scan.nc").read_bytes() == before
    assert main([*GOOD, "--quiet", "--seed", "1", "--overwrite"]) == 0
    assert dataset.read("scan.nc").attrs["seed"] == 1


def test_failing_cell_is_named(stub, capsys):
    from edgphys.errors import TrainingError

    stub.fail_at, stub.failure = 1, TrainingError("the energy must be finite, got nan")
    assert main([*GOOD, "--quiet", "--workers", "1"]) == 2
    message = "edgphys: error: the energy must be finite, got nan (computing edg at temperature=2.5)\n"
    assert capsys.readouterr().err == message


def test_traceback_on_request(stub):
    with pytest.raises(ValueError, match="temperature must be positive"):
        main([*SCAN, "--temperature=-1", "--out", "scan.nc", "--traceback"])


# ------------------------------------------------------------------------------------------ its words


def test_ranges_have_exact_ends_and_readable_values():
    values = parse_values("2.0:2.7:8", "--temperature")
    assert values == [2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7]
    assert parse_values("1:0.3333333333333333:2", "--x") == [1.0, 0.3333333333333333]
    assert parse_values("-1:1:3", "--field") == [-1.0, 0.0, 1.0]


def test_integers_with_commas_are_a_list():
    words = ["decoder_size=32,2", "encoder_size=[8,1]", 'train_at={"temperature":2}', "order=1,a", "x=-1,2,3"]
    assert parse_options(words) == {
        "decoder_size": [32, 2],
        "encoder_size": [8, 1],
        "train_at": {"temperature": 2},
        "order": "1,a",
        "x": [-1, 2, 3],
    }


def test_extent_counts_axes():
    assert parse_extent("4", None) == (4,)
    assert parse_extent("4", 3) == (4, 4, 4)
    assert parse_extent("4x5x6", 3) == (4, 5, 6)


# ------------------------------------------------------------------------------------------ the README


def readme_blocks(language):
    text = (Path(__file__).parents[2] / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("ladders", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_commands_of_the_readme_run(stub, folder, ladders):
    """Those of free energies by ladders take longer."""
    lines = [line.removesuffix("&&").strip() for block in readme_blocks("sh") for line in block.splitlines()]
    assert sum("1.8:3.3:16" in line for line in lines) == 1
    fewer = [line.replace("1.8:3.3:16", "1.8:3.3:4") for line in lines]
    commands = [line.split()[1:] for line in fewer if line.startswith("edgphys ")]
    names = [command[0] for command in commands]
    assert names[:4] == ["scan", "show", "plot", "report"]
    assert set(names[4:]) == {"scan", "sample", "temper", "free-energy"}
    quick = {
        "scan": ["--n-sweeps", "500", "--n-steps", "20"],
        "sample": ["--n-sweeps", "200"],
        "temper": ["--n-sweeps", "200"],
        "free-energy": ["--n-sweeps", "300"],
    }
    made = [command for command in commands if ("mbar" in command) is ladders]
    for command in made:
        short = ["--n-sweeps", "500"] if "--n-steps" in command else quick.get(command[0], [])
        # Chains alone have sweeps; a generator is refused them.
        short = [] if command[0] == "free-energy" and "edg" in command else short
        assert main([*command, *short, *(["--quiet"] if short else [])]) == 0
    quick_ones = {"chains.nc", "ising.nc", "ladder.nc", "lj13.nc", "mb.nc", "ising.html", "ising.png"}
    there = {file.name for file in folder.iterdir() if not file.name.endswith(".models")}
    assert there == ({"log_z.nc", "scan.nc"} if ladders else quick_ones)


def test_python_of_the_readme_runs(stub, folder):
    first, *_, chains = readme_blocks("python")
    fewer = {"ep.EDG": "stub", '"seed": 0': '"seed": 0, "mcmc": {"n_sweeps": 500}', "20_000": "200"}
    fewer |= {"seed=4": "n_sweeps=200, seed=4", "seed=5": "n_sweeps=500, seed=5"}
    for words, others in fewer.items():
        assert words in first + chains
        first, chains = (block.replace(words, others) for block in (first, chains))
    names = {"stub": stub}
    exec(compile(first, "README.md", "exec"), names)
    assert sorted(file.name for file in folder.iterdir()) == ["scan.nc", "scan.png"]
    exec(compile(chains, "README.md", "exec"), names)
    assert "log_z" in names["log_z"] and (folder / "chains.npz").exists()


@pytest.mark.slow
def test_curves_of_the_readme_run(folder):
    text = next(block for block in readme_blocks("python") if "family.curve" in block)
    for words, fewer in {
        "(seed=0)": "(seed=0, n_steps=2)",
        "10_000, ": "400, n_views=1, ",
        "(16, 16)": "(4, 4)",
        "200)": "5)",
    }.items():
        assert words in text
        text = text.replace(words, fewer)
    names = {}
    exec(compile(f"import edgphys as ep, lattices, numpy as np\n{text}", "README.md", "exec"), names)
    assert names["curve"].sizes["temperature"] == 5
    assert sorted(file.name for file in folder.iterdir()) == ["curve.png", "model.pt"]


@pytest.mark.slow
def test_larger_lattices_of_the_readme_run(folder):
    text = readme_blocks("python")[1]
    for words, fewer in {
        "(seed=0)": "(seed=0, n_steps=2)",
        "n_steps=350": "n_steps=2",
        "10_000": "20",
    }.items():
        assert words in text
        text = text.replace(words, fewer)
    names = {}
    exec(compile(f"import edgphys as ep, lattices\n{text}", "README.md", "exec"), names)
    assert names["draws"].sizes == {"draw": 20} and "log_weight_variance_within" in names["draws"].attrs


@pytest.mark.slow
def test_continuous_systems_of_the_readme_run(folder):
    *_, text, _ = readme_blocks("python")
    for words, fewer in {"fit(seed=0)": "fit(seed=0, n_steps=2)", "10_000": "200", "=500": "=2"}.items():
        assert words in text
        text = text.replace(words, fewer)
    names = {}
    exec(compile(f"import edgphys as ep\n{text}", "README.md", "exec"), names)
    assert {"log_z", "free_energy_difference"} <= set(names["table"])
    assert names["profile"].attrs["kind"] == "profile" and names["draws"]["configurations"].shape == (
        200,
        13,
        3,
    )


def test_parameters_of_systems_on_a_lattice_have_options():
    from edgphys import systems

    declared = [one for one in systems.available() if one.lattices != "none"]
    names = [each.name for one in declared for each in (*one.parameters, *one.by_convention)]
    by_p = {"n_slices", "time_step", "longitudinal_field"}
    assert tuple(name for name in dict.fromkeys(names) if name not in by_p) == COUPLINGS
