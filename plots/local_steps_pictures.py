"""The part of the gallery about local steps: composite problems, and what was recovered by them."""

from typing import TYPE_CHECKING

from pictures import Picture, ResultOf, scenario_picture

from dadao_sim.local_steps.learned import load_weights
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.plotting.digit_priors import digit_prior_figure
from dadao_sim.plotting.prior_losses import prior_losses_figure
from dadao_sim.plotting.priors import prior_figure
from dadao_sim.plotting.recovered import recovered_figure
from dadao_sim.reports.digit_prior import digit_prior
from dadao_sim.reports.prior import prior_report
from dadao_sim.reports.recovered import recovered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RECOVERED = {
    "deblurring": (
        "Deblurred",
        "The truth, what the nine nodes saw of it, and what they have at the end: of each method\n"
        "the node that is farthest from the truth. Below each its peak signal-to-noise ratio.",
        (),
    ),
    "inpainting": (
        "Filled in",
        "The truth, what the eight nodes saw of it (lost pixels are orange), and what they have\n"
        "at the end, as above.",
        (),
    ),
    "lasso": (
        "Found by compressed sensing",
        "The signal, and what the node farthest from it has at the end of the first repeat. All\n"
        "methods end at the same x*; the strength of the l1 norm pulls it towards 0.",
        ("prox_ed",),
    ),
    "learned-prior": (
        "Found with a learned prior",
        "As above, with a network in the place of the soft threshold.",
        (),
    ),
}
"""Scenario -> title, caption, and the algorithms shown if not all."""
LOCAL_STEP_SCENARIOS = tuple(
    f"composite/{name}"
    for name in (
        *("lasso", "elastic-net", "group-sparse", "sparse-logistic"),
        *("deblurring", "inpainting", "learned-prior"),
    )
)


def local_steps_pictures() -> list[Picture]:
    """Every scenario, what was recovered after those with a known truth, and learned priors."""
    pictures = []
    for name in LOCAL_STEP_SCENARIOS:
        pictures.append(scenario_picture(name))
        if (short := name.removeprefix("composite/")) in RECOVERED:
            pictures.append(recovered_picture(short))
    return [*pictures, learned_prior(), prior_losses(), digits_prior()]


def recovered_picture(name: str) -> Picture:
    """The truth of a scenario beside what its methods found."""
    title, caption, labels = RECOVERED[name]
    only = "".join(f"--algorithm {label} " for label in labels)

    def draw(result_of: ResultOf) -> "Figure":
        return recovered_figure(recovered(result_of((f"composite/{name}",)), labels))

    return Picture(
        name=f"{name}-recovered",
        title=title,
        caption=caption,
        command=f"dadao-sim run scenarios/composite/{name}.yaml\n"
        f"dadao-sim recovered results/{name} {only}--figure plots/{name}-recovered.png",
        draw=draw,
    )


def learned_prior() -> Picture:
    """The network that comes with the package."""
    return Picture(
        name="prior-laplacian",
        title="What the network learned",
        caption="Left the network, which denoises y, against the proximal operator of the\n"
        "absolute value, and what training tends to at its last gamma. Right the prior R whose\n"
        "proximal operator it is, exactly. Beyond the range of the training it goes on with\n"
        "slope 1.",
        command="dadao-sim prior laplacian --figure plots/prior-laplacian.png",
        draw=lambda result_of: prior_figure(prior_report(*load_weights("laplacian"))),
    )


def prior_losses() -> Picture:
    """What other losses make of the same samples."""
    names = ("laplacian", "laplacian_l1", "laplacian_l2")

    def draw(result_of: ResultOf) -> "Figure":
        return prior_losses_figure({name: prior_report(*load_weights(name)) for name in names})

    return Picture(
        name="prior-losses",
        title="What other losses learn",
        caption="The same network and samples. The mean square (l2) leads to the posterior mean,\n"
        "the l1 norm to the posterior median; only proximal matching leads to the proximal\n"
        "operator of the prior.",
        command=f"dadao-sim prior {' '.join(names)} --figure plots/prior-losses.png",
        draw=draw,
    )


def digits_prior() -> Picture:
    """The network of vectors."""
    return Picture(
        name="digits-prior",
        title="What a network of digits learned",
        caption="Left how far its prior of 40 noisy digits is above that of the clean ones, on\n"
        "average in a band of all. Right what it makes of noise, against the conditional mean,\n"
        "were digits Gaussian: it was trained at .15, and at a third of that it loses.",
        command="dadao-sim prior digits --figure plots/digits-prior.png",
        draw=lambda result_of: digit_prior_figure(digit_prior(load_network("digits"))),
    )
