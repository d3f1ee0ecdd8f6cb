# SPDX-License-Identifier: MIT
"""What the samplers with Ising clusters share: links, options and the columns that the options ask for."""

from __future__ import annotations

import numpy as np

from edgphys import _checks
from edgphys.mcmc.core.layout import make_layout
from edgphys.mcmc.core.sampler import ChainState
from edgphys.mcmc.ising.base import AbstractIsingSampler
from edgphys.mcmc.ising.clusters import improved
from edgphys.mcmc.ising.clusters.sweep_length import mean_size

__all__ = ["AbstractClusterSampler"]


class AbstractClusterSampler(AbstractIsingSampler):
    """An Ising chain moved by clusters; sites are kept in the order of the lattice.

    Attributes
    ----------
    columns : tuple of str
        With ``improved`` also the observables that clusters estimate better than the spins.
    improved_columns : tuple of str
        Which of the columns, the extra ones included, are improved estimators: expectations over the signs
        of the clusters given the bonds.
    extra_columns : dict of str to int
        Name and number of values of what follows the columns: ``correlation`` if asked for.
    """

    def _check_options(self) -> None:
        for name in ("improved", "correlation"):
            _checks.flag(self.options[name], name)
        if self.options["correlation"] and not all(self.system.lattice.pbc):
            raise ValueError(
                f"correlation must be False on a lattice with an open axis, got pbc {self.system.lattice.pbc}"
            )
        if self.options["correlation"] and self.system.lattice is not self.system.built_on:
            raise ValueError(
                "correlation must be False where imaginary time is an axis, got True: "
                "ep.correlations takes kept configurations"
            )

    def _prepare_columns(self, better: tuple[str, ...]) -> None:
        """Layout and columns; `better` are those that clusters improve, besides the correlators."""
        lattice = self.system.lattice
        self.layout = make_layout(lattice, np.arange(lattice.n_sites))
        self._improved = bool(self.options["improved"]) and not self.system.site_fields.any()
        n_distances = improved.n_distances(lattice) if self.options["correlation"] else 0
        self.extra_columns = {"correlation": n_distances} if n_distances else {}
        if self._improved:
            self.columns = ("energy", "magnetization", *better)
            self.improved_columns = (*better, *self._correlators, *self.extra_columns)

        self._waves = improved.wave_table(self.layout) if self._improved else np.ones((1, 1))

    def _measures(self) -> tuple:
        """What the kernels measure: arguments of `measure_spins`, waves, blocks of the axes, switches."""
        *others, ((first, staggered, end), *tables) = self._probe()
        # Improved correlators are those of the clusters.
        probe = *others, ((staggered if self._improved else first, staggered, end), *tables)
        n_distances = sum(self.extra_columns.values())
        switches = self._improved, n_distances, len(self._correlators)
        return probe, self._waves, improved.axis_blocks(self.system.lattice), switches

    def _sign(self) -> int:
        return -1 if self.system.coupling < 0 else 1

    def report(self, states: list[ChainState]) -> dict[str, float]:
        return mean_size(states)
