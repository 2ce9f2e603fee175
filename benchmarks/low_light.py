"""The numbers of docs/systems/low-light.md: how far the light of held-out scenes is off, by hand,
and by the networks, where all windows are shown and where one strip is; and what nodes make of the
picture of the scenario, for 40 draws of its lamps.

    python benchmarks/low_light.py

The crops are of scikit-learn's flower, and, where scikit-image is installed, of four of its
pictures besides; no training saw any of them.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, zoom
from sklearn.datasets import load_sample_image

from dadao_sim.local_steps.learned.illumination import GRID, SIZE, WINDOW, light_of
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.problems.build import build_problem, picture
from dadao_sim.problems.data.image import in_grey
from dadao_sim.problems.data.lamps import light_errors, log_light, photographed
from dadao_sim.randomness import stream
from dadao_sim.reports.low_light import best_gain
from dadao_sim.reports.recovered import psnr
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario

MASKED, PLAIN = load_network("illumination"), load_network("illumination_unmasked")
CROPS, DRAWS, RESTORED = 400, 40, 10


def pictures() -> Iterator[np.ndarray]:
    """Held-out photographs in grey."""
    yield in_grey(load_sample_image("flower.jpg") / 255.0)
    spec = find_spec("skimage")
    if spec is not None and spec.origin is not None:
        from PIL import Image

        for name in ("camera", "astronaut", "coffee", "chelsea"):
            with Image.open(Path(spec.origin).parent / "data" / f"{name}.png") as image:
                yield in_grey(np.asarray(image.convert("RGB")) / 255.0)


def scenes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """log light and log y of crops at three scales, (count, 64, 64)."""
    rng = np.random.default_rng(seed)
    scaled = []
    for grey in pictures():
        for scale in (2, 3, 4):
            rows, columns = (length // scale for length in grey.shape)
            whole = grey[: rows * scale, : columns * scale]
            scaled.append(whole.reshape(rows, scale, columns, scale).mean(axis=(1, 3)))
    scaled = [one for one in scaled if min(one.shape) >= SIZE]
    light, seen = [], []
    for _ in range(count):
        of = scaled[rng.integers(len(scaled))]
        top, left = (rng.integers(length - SIZE + 1) for length in of.shape)
        light.append(log_light(SIZE, int(rng.integers(1, 4)), rng))
        square = of[top : top + SIZE, left : left + SIZE]
        seen.append(np.log(photographed(light[-1], square, 0.01, rng)))
    return np.array(light), np.array(seen)


def by_hand(s: np.ndarray, shown: np.ndarray | None = None) -> np.ndarray:
    """Windows smoothed over two windows and pulled to their mean; those hidden have the mean."""
    w = s.reshape(GRID, WINDOW, GRID, WINDOW).mean(axis=(1, 3))
    if shown is not None:
        w = np.where(shown > 0, w, w[shown > 0].mean())
    w = gaussian_filter(w, 2, mode="nearest")
    return zoom(w.mean() + 0.8 * (w - w.mean()), WINDOW, order=1, mode="nearest", grid_mode=True)


def said(errors: np.ndarray) -> str:
    """Mean and standard error."""
    return f"{errors.mean():.3f} +- {errors.std() / len(errors) ** 0.5:.3f}"


def whole(light: np.ndarray, seen: np.ndarray) -> None:
    """All windows shown."""
    off = {
        "constant": light_errors(0 * light, light),
        "by hand": light_errors(np.array([by_hand(s) for s in seen]), light),
        "without masks": light_errors(np.array([light_of(PLAIN, s) for s in seen]), light),
        "masked": light_errors(np.array([light_of(MASKED, s) for s in seen]), light),
    }
    print("all shown:", ", ".join(f"{name} {said(one)}" for name, one in off.items()))
    for name in ("by hand", "without masks"):
        print(f"   {name} - masked, scene by scene: {said(off[name] - off['masked'])}")


def strip(light: np.ndarray, seen: np.ndarray) -> None:
    """One row of windows of eight shown, and the error on it."""
    off: dict[str, list[np.ndarray]] = {}
    for k in range(GRID):
        shown, rows = np.zeros((GRID, GRID)), slice(k * WINDOW, (k + 1) * WINDOW)
        shown[k] = 1
        for name, found in (
            ("constant", 0 * light),
            ("by hand", np.array([by_hand(s, shown) for s in seen])),
            ("without masks", np.array([light_of(PLAIN, s, shown) for s in seen])),
            ("masked", np.array([light_of(MASKED, s, shown) for s in seen])),
            ("masked, all strips together", np.array([light_of(MASKED, s) for s in seen])),
        ):
            off.setdefault(name, []).append(light_errors(found[:, rows], light[:, rows]))
    every = {name: np.mean(one, axis=0) for name, one in off.items()}
    print("one strip of eight:", ", ".join(f"{name} {said(one)}" for name, one in every.items()))


def draws() -> None:
    """The lamps of the scenario, drawn anew: four nodes alone, and all windows."""
    scenario = load_scenario(shipped.scenarios()["systems/low-light"])
    off: dict[str, list[float]] = {}
    for seed in range(DRAWS):
        shot = picture(scenario.problem, 4, np.random.default_rng(stream(seed, 0, "data")))
        assert shot.light is not None
        s = np.log(shot.seen)
        off.setdefault("constant", []).append(light_errors(0 * s[None], shot.light)[0])
        for name, net in (("masked", MASKED), ("without masks", PLAIN)):
            strips = []
            for node in range(4):
                shown = np.zeros((GRID, GRID))
                shown[2 * node : 2 * node + 2] = 1
                strips.append(light_of(net, s, shown))
            alone = light_errors(np.array(strips), shot.light).mean()
            together = light_errors(light_of(net, s)[None], shot.light)[0]
            off.setdefault(f"{name}, four nodes alone", []).append(alone)
            off.setdefault(f"{name}, all windows", []).append(together)
    print(f"{DRAWS} draws:", ", ".join(f"{name} {said(np.array(v))}" for name, v in off.items()))
    pairs = zip(off["masked, four nodes alone"], off["masked, all windows"], strict=True)
    print(f"   nodes alone no worse than together in {sum(a <= b for a, b in pairs)}")


def restored() -> None:
    """What the iteration in one place, at the step n/L, makes of the picture."""
    scenario = load_scenario(shipped.scenarios()["systems/low-light"])
    rows = []
    for seed in range(RESTORED):
        problem = build_problem(scenario.problem, 4, np.random.default_rng(stream(seed, 0, "data")))
        shot = picture(scenario.problem, 4, np.random.default_rng(stream(seed, 0, "data")))
        assert shot.light is not None
        row = [psnr(best_gain(shot.seen, shot.truth), shot.truth)]
        for spec in scenario.algorithms:
            step = build_local_step(spec.local_step or scenario.local_step, problem.dimension)
            x, a = np.zeros(problem.dimension), 4 / problem.L
            for _ in range(300):
                x = step.prox(x - a * problem.gradients(np.tile(x, (4, 1))).mean(axis=0), a)
            light, rho = x.reshape(2, SIZE, SIZE)
            found = best_gain(np.exp(rho), shot.truth)
            row += [light_errors(light[None], shot.light)[0], psnr(found, shot.truth)]
        divided = best_gain(shot.seen / np.exp(shot.light), shot.truth)
        rows.append([*row, psnr(divided, shot.truth)])
    seen, masked, of_masked, plain, of_plain, divided = np.mean(rows, axis=0)
    print(
        f"restored, {RESTORED} draws: seen {seen:.1f} dB; masked: light off by {masked:.2f}, "
        f"{of_masked:.1f} dB; without masks: {plain:.2f}, {of_plain:.1f} dB; divided by the true "
        f"light {divided:.1f} dB"
    )


if __name__ == "__main__":
    print(f"crops of {len(list(pictures()))} held-out pictures")
    for check in (whole, strip):
        check(*scenes(CROPS, 21))
    draws()
    restored()
