"""How good the quantised models are that AskewSGD, straight-through and rounding end at, centrally.

    python benchmarks/quantised_models.py

prints the tables of docs/systems/quantised-models.md: the excess of the quantised model over the
best of all, which is found by trying them, in units of that of their mean. It takes a minute.
"""

import itertools
from collections.abc import Callable

import numpy as np
from sklearn.datasets import make_moons

from dadao_sim.local_steps.quantise import QuantisedStep
from dadao_sim.local_steps.section import build_local_step

BINARY, FOUR = (-1.0, 1.0), (-1.0, -1 / 3, 1 / 3, 1.0)
Gradient = Callable[[np.ndarray], np.ndarray]
Score = Callable[[np.ndarray], float]


def local_step(kind: str, dimension: int, levels: tuple[float, ...] = BINARY, **keys: object):
    """A local step by its kind; ``hold`` and ``every`` are those of AskewSGD."""
    if kind == "askew":
        anneal = {"hold": keys.pop("hold"), "factor": 0.96, "every": keys.pop("every")}
        keys = {"alpha": 0.2, **keys, "anneal": anneal}
    else:
        keys = {}
    asked = {"quantise": {"kind": kind, "levels": levels, **keys}}
    step = build_local_step(asked, dimension)
    assert isinstance(step, QuantisedStep)
    return step


def run(step: QuantisedStep, gradient: Gradient, w: np.ndarray, length: float, steps: int, score):
    """The score of the last iterate, quantised, and the best of all."""
    best = np.inf
    through = step.kind == "straight_through"
    for t in range(steps):
        g = gradient(step.quantised(w) if through else w)
        w = w + length * step.direction(w, g, length, t)
        if through:
            best = min(best, score(step.quantised(w)))
    return score(step.quantised(w)), best


def show(title: str, scores: dict[str, list[float]]) -> None:
    """One line for each way: mean, median, and how often it found the best of all."""
    print(title)
    for name, found in scores.items():
        hits = sum(value < 1e-9 for value in found)
        middle = f"mean {np.mean(found):.4f}, median {np.median(found):.4f}"
        print(f"  {name:32s} {middle}, best of all {hits}/{len(found)}")


def every_way(
    scores: dict[str, list[float]], gradient: Gradient, w: np.ndarray, score: Score, **how
) -> None:
    """Add what the three ways make of one problem."""
    length, steps, levels = how["length"], how["steps"], how.get("levels", BINARY)
    anneal = {name: how[name] for name in ("hold", "every", "alpha") if name in how}
    for kind in ("askew", "rounding", "straight_through"):
        step = local_step(kind, len(w), levels, **(anneal if kind == "askew" else {}))
        last, best = run(step, gradient, w.copy(), length, steps, score)
        if kind == "straight_through":
            scores.setdefault("straight_through, last", []).append(last)
            scores.setdefault(f"straight_through, best of {steps}", []).append(best)
        else:
            scores.setdefault(kind, []).append(last)


def relative(values: np.ndarray, value: Callable[[np.ndarray], float]) -> Score:
    """0 of the best, 1 of the mean."""
    least, mean = values.min(), values.mean()
    return lambda q: float((value(q) - least) / (mean - least))


def quadratic(seed: int, kappa: float, d: int, levels: tuple[float, ...]):
    """Gradient, start and score of correlated least squares."""
    draw = np.random.default_rng(1000 + seed)
    U = np.linalg.qr(draw.standard_normal((d, d)))[0]
    H = U @ np.diag(np.geomspace(1, 1 / kappa, d)) @ U.T
    c = H @ draw.uniform(-1.5, 1.5, d)
    points = np.array(list(itertools.product(levels, repeat=d)))
    values = np.einsum("ij,ij->i", points @ H, points) / 2 - points @ c
    score = relative(values, lambda q: float(q @ H @ q / 2 - c @ q))
    return (lambda w: H @ w - c), 0.1 * draw.standard_normal(d), score


def toy(seed: int, d: int = 10):
    """The same of the authors' logistic regression with binary weights."""
    draw = np.random.default_rng(seed)
    true = np.where(draw.standard_normal(d) >= 0, 1.0, -1.0)
    A = draw.uniform(-1, 1, (6000, d))
    b = np.where(draw.random(6000) < 1 / (1 + np.exp(-A @ true)), 1.0, -1.0)
    points = np.array(list(itertools.product(BINARY, repeat=d)))
    values = np.array([np.logaddexp(0, -b * (A @ q)).mean() for q in points])
    score = relative(values, lambda q: float(np.logaddexp(0, -b * (A @ q)).mean()))
    gradient = lambda w: -A.T @ (b / (1 + np.exp(b * (A @ w)))) / len(b)  # noqa: E731
    return gradient, 0.1 * draw.standard_normal(d), score


def moons():
    """Loss and gradient of two moons by 2 v.tanh(2 W (x, 1)): 4 units, 16 weights."""
    X, y = make_moons(120, noise=0.15, random_state=0)
    X = np.c_[(X - X.mean(0)) / X.std(0), np.ones(len(X))]
    sign = 2.0 * y - 1

    def loss(w: np.ndarray) -> float:
        A = np.tanh(2 * X @ w[:12].reshape(4, 3).T)
        return float(np.logaddexp(0, -sign * 2 * (A @ w[12:])).mean())

    def gradient(w: np.ndarray) -> np.ndarray:
        v = w[12:]
        A = np.tanh(2 * X @ w[:12].reshape(4, 3).T)
        slope = -sign / (1 + np.exp(sign * 2 * (A @ v))) / len(sign)
        inner = 4 * np.outer(slope, v) * (1 - A * A)
        return np.r_[(inner.T @ X).ravel(), 2 * A.T @ slope]

    return loss, gradient


def noisy(noise: float) -> list[float]:
    """AskewSGD with gradients in normal noise, kappa 10."""
    found = []
    for seed in range(25):
        gradient, w, score = quadratic(seed, 10, 12, BINARY)
        draw = np.random.default_rng(seed)
        step = local_step("askew", 12, hold=900, every=20)
        for t in range(3000):
            length = 1 / (1 + 9 * t / 3000)
            g = gradient(w) + noise * draw.standard_normal(12)
            w = w + length * step.direction(w, g, length, t)
        found.append(score(step.quantised(w)))
    return found


def main() -> None:
    """Print every table."""
    scores: dict[str, list[float]] = {}
    for seed in range(20):
        every_way(scores, *toy(seed), length=2.0, steps=600, hold=180, every=3, alpha=0.1)
    show("logistic toy of the authors, d = 10, 20 seeds", scores)
    for kappa in (10.0, 100.0):
        scores = {}
        for seed in range(25):
            how = {"length": 1.0, "steps": 3000, "hold": 600, "every": 20}
            every_way(scores, *quadratic(seed, kappa, 12, BINARY), **how)
        show(f"correlated least squares, d = 12, kappa {kappa:g}, 25 seeds", scores)
    scores = {}
    for seed in range(25):
        how = {"length": 0.5, "steps": 4000, "hold": 800, "every": 25, "alpha": 0.5}
        every_way(scores, *quadratic(seed, 100, 6, FOUR), levels=FOUR, **how)
    show("four levels, d = 6, kappa 100, 25 seeds", scores)
    scores = {f"askew, noise {noise:g}": noisy(noise) for noise in (0.0, 0.1, 0.3, 1.0)}
    show("correlated least squares, kappa 10, gradients in noise, 25 seeds", scores)
    loss, gradient = moons()
    every = np.array([loss(np.array(q)) for q in itertools.product(BINARY, repeat=16)])
    scores = {}
    for seed in range(20):
        w = np.random.default_rng(seed).uniform(-1, 1, 16)
        how = {"length": 0.1, "steps": 3000, "hold": 600, "every": 20, "alpha": 0.5}
        every_way(scores, gradient, w, lambda q: loss(q) - every.min(), **how)
    show(f"two moons, 16 weights, best of 65,536: {every.min():.4f}; loss above it", scores)


if __name__ == "__main__":
    main()
