# SPDX-License-Identifier: MIT
r"""Bayesian logistic regression: the posterior of the weights as a Boltzmann density.

    E(w) = - sum_i log sigma(s_i (w . phi_i)) + precision/2 |w|^2 - (d/2) log(precision / 2 pi)

with labels s_i = +-1, phi_i = (features, 1) and sigma(u) = 1 / (1 + exp(-u)). The prior N(0, 1/precision) is
normalised, so that log Z at T = 1 is the logarithm of the evidence of the data.

Data are given, or generated from a seed: standard normal features with correlation 0.3^|i - j|, true weights
N(0, 1), an independent label per row with probability sigma(w . phi). The same seed gives the test rows,
drawn after the training rows.

References
----------
Gershman, Hoffman, Blei, Nonparametric variational inference, ICML (2012), arXiv:1206.4665, section 4.1.
Wang et al., arXiv:2401.02080 (as a target of EDG).
Fawcett, An introduction to ROC analysis, Pattern Recogn. Lett. 27, 861 (2006),
doi:10.1016/j.patrec.2005.10.010 (AUC).
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
import scipy
from numba import njit
from numpy.typing import NDArray

from edgphys._checks import positive, seed, temperature_of, whole
from edgphys._lazy import LazyModule
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.continuous.classification import check_data, generate_data
from edgphys.systems.records import Parameter, SystemRecord

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["LogisticRegression"]


@final
class LogisticRegression(AbstractContinuousSystem):
    """Posterior of the weights of a logistic regression; see the module docstring.

    Parameters
    ----------
    n_features, n_train, n_test : int
        Size of the data.
    precision : float
        Of the prior, positive.
    data_seed : int
        Seed of generated data.
    temperature : float
        Positive; the posterior is at 1.
    data : tuple of arrays, optional
        (features, labels, test features, test labels) in place of generated data: shapes
        (n_rows, n_features) and (n_rows,), labels 0 or 1. The sizes are then taken from it.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, or the data do not fit together.

    Examples
    --------
    >>> system = LogisticRegression(n_features=2, n_train=50)
    >>> system.n_variables, system.energy(np.zeros((1, 3))).round(3)         # 50 log 2 + 3/2 log 2 pi
    (3, array([37.414]))
    >>> probability = system.predict(np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]))
    >>> probability.shape
    (1000,)
    """

    name: ClassVar[str] = "logistic_regression"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="E = sum over data log(1 + exp(-y w.x)) + precision |w|^2 / 2: a Bayesian posterior of w",
        parameters=(
            Parameter("n_features", "at least 1", 10),
            Parameter("n_train", "number of data", 500),
            Parameter("n_test", "number of data held out", 1000),
            Parameter("precision", "of the Gaussian prior, positive", 1.0),
            Parameter("data_seed", "of the generated data", 0),
            Parameter("temperature", "1 for the posterior", 1.0),
        ),
    )
    observables: ClassVar[tuple[str, ...]] = ("norm",)

    def __init__(
        self,
        n_features: int = 10,
        n_train: int = 500,
        n_test: int = 1000,
        precision: float = 1.0,
        data_seed: int = 0,
        temperature: float = 1.0,
        *,
        data: tuple[NDArray, ...] | None = None,
    ) -> None:
        self.temperature = temperature_of(temperature)
        data_seed = seed(whole(data_seed, "data_seed", 0), "data_seed")
        self.precision = positive(precision, "precision")
        sizes = whole(n_features, "n_features", 1), whole(n_train, "n_train", 1), whole(n_test, "n_test", 1)
        self._given = None if data is None else check_data(data)
        self.features, self.labels, self.test_features, self.test_labels = (
            generate_data(*sizes, data_seed) if self._given is None else self._given
        )
        self.event_shape = (self.features.shape[1] + 1,)
        self.parameters = {
            "n_features": self.features.shape[1],
            "n_train": len(self.features),
            "n_test": len(self.test_features),
            "precision": self.precision,
            "data_seed": data_seed,
            "temperature": self.temperature,
        }
        self.formula = (
            "-sum_i log sigmoid(s_i w.phi_i) + precision/2 |w|^2 - n_variables/2 log(precision / 2 pi)"
        )
        self.width = 1.0 / math.sqrt(self.precision)
        self._design = np.column_stack([self.features, np.ones(len(self.features))])

    @property
    def conditions(self) -> tuple[str, ...]:
        """Temperature and precision."""
        return ("temperature", "precision")

    @property
    def kernel(self):
        return _kernel

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        signs = 2.0 * self.labels - 1.0
        return np.concatenate([[self.precision, self._offset()], (signs[:, None] * self._design).ravel()])

    def predict(
        self, weights: NDArray, features: NDArray | None = None, log_weights: NDArray | None = None
    ) -> NDArray[np.float64]:
        """Posterior predictive probability of label 1 for each row of `features`, by default the test rows.

        Parameters
        ----------
        weights : array, shape (n_draws, n_variables)
            Draws of the posterior.
        features : array, shape (n_rows, n_features), optional
        log_weights : array, shape (n_draws,), optional
            Logarithms of importance weights of the draws.

        Returns
        -------
        float64 array, shape (n_rows,)
        """
        rows = self.test_features if features is None else np.asarray(features, np.float64)
        draws = self._flat_array(weights)
        if log_weights is None:
            share = np.full(len(draws), 1.0 / len(draws))
        else:
            share = scipy.special.softmax(np.asarray(log_weights, np.float64))
        design = np.column_stack([rows, np.ones(len(rows))])
        out = np.zeros(len(rows))
        for start in range(0, len(draws), 1024):
            part = slice(start, start + 1024)
            out += share[part] @ scipy.special.expit(draws[part] @ design.T)
        return out

    @property
    def follows_from_parameters(self) -> bool:
        """Unless data were given."""
        return self._given is None

    def replace(self, **changes: Any) -> LogisticRegression:
        """The same data with other parameters; generated data follow their sizes and seed."""
        return self._told(LogisticRegression(**{**self.parameters, **changes}, data=self._given))

    def identity(self) -> dict[str, Any]:
        """Name, parameters, and a fingerprint of the data."""
        digest = hashlib.sha256(self._design.tobytes() + self.labels.tobytes()).hexdigest()[:16]
        return {**super().identity(), "data": digest}

    def _offset(self) -> float:
        return -0.5 * self.n_variables * math.log(self.precision / (2.0 * math.pi))

    def _signed(self, like: Tensor) -> Tensor:
        return like.new_tensor((2.0 * self.labels - 1.0)[:, None] * self._design)

    def _energy(self, flat: Tensor) -> Tensor:
        loss = -torch.nn.functional.logsigmoid(flat @ self._signed(flat).T).sum(1)
        return loss + 0.5 * self.precision * (flat * flat).sum(1) + self._offset()

    def _energy_gradient(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        signed = self._signed(flat)
        margins = flat @ signed.T
        gradient = self.precision * flat - torch.sigmoid(-margins) @ signed
        loss = -torch.nn.functional.logsigmoid(margins).sum(1)
        return loss + 0.5 * self.precision * (flat * flat).sum(1) + self._offset(), gradient

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"norm": np.sqrt((flat * flat).sum(1))}

    def _more_definitions(self) -> dict[str, str]:
        return {
            "norm": "|w|, Euclidean norm of the weights",
            "log_z": "log of the evidence of the data at T = 1, natural logarithm",
        }


@njit(nogil=True, cache=True)
def _kernel(x, gradient_out, parameters):
    precision, energy = parameters[0], parameters[1]
    d = x.size
    for k in range(d):
        gradient_out[k] = precision * x[k]
        energy += 0.5 * precision * x[k] * x[k]
    for row in range((parameters.size - 2) // d):
        first = 2 + row * d
        margin = 0.0
        for k in range(d):
            margin += parameters[first + k] * x[k]
        tail = math.exp(-abs(margin))
        energy += math.log1p(tail) + max(-margin, 0.0)
        wrong = (tail if margin > 0.0 else 1.0) / (1.0 + tail)  # sigmoid(-margin)
        for k in range(d):
            gradient_out[k] -= wrong * parameters[first + k]
    return energy
