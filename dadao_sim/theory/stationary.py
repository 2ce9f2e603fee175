"""Where an asynchronous method hovers: the mean square of its error in the long run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, gmres

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.plateau import Plateau
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.theory.perron import SMALL, Energies
from dadao_sim.theory.rest import Part, parts_of
from dadao_sim.theory.setting import Setting

if TYPE_CHECKING:
    from dadao_sim.problems import Problem

ACCURACY = 1e-12  # of the energies, relative
RESTARTS = 60


@one_blas_thread()
def stationary(
    method: str | Method,
    problem: "Problem",
    network: Any,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
    x0: Any = None,
) -> Plateau:
    """The limit of the mean over the nodes of E||x_i - x*||^2, on quadratics: the bias of the mean
    and the variance around it, apart.

    The variance is that of the clocks, and with ``options.batch_size`` that of minibatches besides:
    ``additive`` is what it were if the errors of minibatches had everywhere the covariance that
    they have at the mean point. ``x0`` (d,) or (n, d), zeros by default, matters only for what a
    method conserves. Methods that converge to x* have 0 and 0.

    Raises InputError as ``exact_rate``, for problems that are not quadratic (with batch_size: not
    of squares), and where the second moment grows.
    """
    setting = Setting.of(method, problem, network, overrides, options)
    parts = [_plateau(part) for part in parts_of(setting, x0, options.batch_size)]
    bias, variance, additive = (np.sum(parts, axis=0) / setting.problem.nodes).tolist()
    return Plateau(bias=bias, variance=variance, additive=additive)


def _plateau(part: Part) -> np.ndarray:
    """Bias, variance and additive variance of one system, summed over nodes and coordinates."""
    if part.events.played.counted:
        raise InputError(f"{part.name}: no plateau is known of steps that are counted")
    energies = Energies(part.events, part.noise)
    if not energies.is_stable:
        raise InputError(f"{part.name} has no plateau: with these constants it diverges")
    residuals = np.einsum("mk,ml->mkl", part.residuals, part.residuals)
    found = [float(part.offset @ part.offset)]
    noise = None if part.noise is None else part.noise.at(part.rest)
    for everywhere in (True, False):
        energies.noise_moves = everywhere
        D = _solved(energies, energies.filled(residuals, noise))
        moment = energies.moment(D, 0.0)
        estimate = part.events.estimate
        found.append(float(np.trace(estimate @ moment @ estimate.T)))
    return np.array(found)


def _solved(energies: Energies, source: np.ndarray) -> np.ndarray:
    """D = source + G(0) D."""
    if not source.any():
        return source
    scale = np.abs(source).max()

    def flat(D: np.ndarray) -> np.ndarray:
        return D - energies(D.reshape(source.shape), 0.0).ravel()

    right = source.ravel() / scale
    if source.size <= SMALL:
        D = np.linalg.solve(np.column_stack([flat(unit) for unit in np.eye(source.size)]), right)
    else:
        operator = LinearOperator((source.size, source.size), flat, dtype=float)
        D, failed = gmres(operator, right, rtol=ACCURACY, maxiter=RESTARTS, restart=40)
        if failed:
            raise InputError("the plateau cannot be computed: too near to where it diverges")
    return D.reshape(source.shape) * scale
