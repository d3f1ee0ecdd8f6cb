# SPDX-License-Identifier: MIT
"""Files that are netCDF and not ours, or ours and changed: shown, or one line that names what is wrong.

Every attribute and variable in turn is taken away or replaced by something that no file of edgphys holds.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.datasets import chains, exact, weighted
from helpers.scans import stub_scan

from edgphys import dataset
from edgphys.cli.app import main
from edgphys.dataset.json_text import parsed
from edgphys.errors import DatasetError

DEEP = "[" * 100_000 + "]" * 100_000
ODD = [
    "[/bold]",
    DEEP,
    "[" * 60 + "]" * 60,
    "null",
    '{"edg": 3}',
    '{"a": 1e999}',
    "\x1b[2J",
    0,
    -1,
    np.nan,
    2**62,
]


def rich_scan():
    """With everything that a scan may say of itself."""
    look = {"label": "Mine", "colour": "", "marker": "", "is_exact": False, "reference_rank": 2}
    about = {
        "warnings": {"wolff temperature=2": "r_hat"},
        "methods": {"mine": look},
        "settings": {"edg": {"conditions": {"temperature": [2.0, 2.6]}}},
        "algorithms": {},
    }
    return stub_scan().assign_attrs({name: json.dumps(value) for name, value in about.items()})


def shown(path, capsys):
    """Exit code, and what was printed; one line on stderr for anything wrong, nothing that moves a cursor."""
    code = main(["show", str(path)])
    out, err = capsys.readouterr()
    assert code in (0, 2) and err.count("\n") == (code == 2) and "\x1b" not in out + err
    return code, out + err


@pytest.mark.slow
@pytest.mark.parametrize("make", [rich_scan, weighted, chains, exact])
@pytest.mark.filterwarnings("ignore")
def test_any_attribute_may_be_any_thing(make, tmp_path, capsys):
    whole, codes = make(), set()
    for number, name in enumerate([*whole.attrs, "warning", "observables"]):
        # Each thing once with each third attribute: all with all would take a minute.
        for odd in [None, *ODD[number % 3 :: 3]]:
            ds = whole.assign_attrs({name: odd})
            if odd is None:
                del ds.attrs[name]
            ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
            codes.add(shown(tmp_path / "a.nc", capsys)[0])
    assert codes == {0, 2}


@pytest.mark.slow
@pytest.mark.parametrize("make", [rich_scan, chains])
@pytest.mark.filterwarnings("ignore")
def test_any_variable_may_be_missing_or_no_number(make, tmp_path, capsys):
    whole = make()
    for name in whole.variables:
        for ds in (
            whole.drop_vars(name),
            whole.rename({name: "[bold]"}),  # a netCDF name has no slash
            whole.assign({name: (whole[name].dims, whole[name].values.astype(str).astype(object))}),
            whole.assign({name: whole[name] * np.inf}) if whole[name].dtype.kind == "f" else whole,
        ):
            ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
            shown(tmp_path / "a.nc", capsys)


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"n_sites": 0}, "attr n_sites must be an integer >= 1, got 0"),
        ({"linear_size": 0.0}, "attr linear_size must be positive, got 0.0"),
        ({"temperature": -1.0}, "attr temperature must be positive, got -1.0"),
        ({"extent": [0]}, "attr extent must be a list of integers >= 1, got [0]"),
        (
            {"extent": [200_000_000]},
            "attr n_sites must be a multiple of the cells of extent [200000000], got 4",
        ),
        ({"pbc": [1, 1]}, "attr pbc must be a list of 1, as extent is, got [1, 1]"),
        ({"parameters": DEEP}, "attr parameters must be JSON text of an object, got '[[[[[["),
        ({"definitions": '{"energy": 3}'}, "energy of attr definitions must be text, got 3"),
        ({"observables": '["a", 1]'}, "every one of attr observables must be text, got 1"),
        ({"warning": 3}, "attr warning must be text, got 3"),
    ],
)
def test_the_first_attribute_that_is_wrong_is_named(attrs, message):
    ds = chains()
    dataset.validate(ds)
    with pytest.raises(DatasetError) as caught:
        dataset.validate(ds.assign_attrs(attrs))
    assert str(caught.value).startswith(message)


def test_markup_in_a_file_is_text(tmp_path, capsys):
    ds = stub_scan(methods=("edg", "[red]x", "exact"))
    ds.attrs |= {"system": "[/bold]", "lattice": "[blink]", "parameters": '{"[/]": "[link=a]"}'}
    ds["converged"][1, 0] = 0
    ds.attrs["warnings"] = json.dumps({"[red]x temperature=2": "[/bold] :smile:"})
    dataset.write(ds, tmp_path / "a.nc")
    code, text = shown(tmp_path / "a.nc", capsys)
    assert code == 0
    for word in ("[/bold] on [blink]", "[/]=[link=a]", "z [red]x", "NOT TRUSTED: [red]x", "[/bold] :smile:"):
        assert word in text


def test_a_lattice_of_any_size_is_shown_without_building_it(tmp_path, capsys):
    big = chains(extent=[200_000_000], n_sites=200_000_000, linear_size=2e8)
    dataset.write(big, tmp_path / "a.nc")
    assert shown(tmp_path / "a.nc", capsys)[0] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1", "the text must be JSON text of an object"),
        ('{"a": {"b": [1, "x"]}}', "every one of b of a of the text must be a number, got 'x'"),
        ('{"a": {}}', "a of the text must have b, which is missing"),
        ('{"a": {"b": [' + "9" * 400 + "]}}", "every one of b of a of the text must be a number"),
        ('{"a": {"b": []}, "more": ' + "[" * 50 + "]" * 50 + "}", "must be nested at most 40 deep"),
    ],
)
def test_json_is_read_through_a_form(text, message):
    form = {"a": {"b": [float]}}
    assert parsed('{"a": {"b": [1, 2.5, NaN]}, "c": 1}', form)["a"]["b"][:2] == [1, 2.5]
    with pytest.raises(ValueError, match=f"^.*{message}"):
        parsed(text, form)
