"""Trimming: samples with large residuals are left out, by a threshold that is set now and then."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dadao_sim.problems.kinds.stages import Stages
from dadao_sim.strict import Count, Positive, StrictModel, misuse

PERIOD, TIMES, ROUNDS = 250.0, 8, 150


class Trim(StrictModel):
    """Which samples count: those with a residual of at most ``multiple`` times a quantile."""

    quantile: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.5, description="of the residuals |<a, x>^2 - y^2|, or ||<a, x>| - y|"
    )
    multiple: Positive = Field(
        default=1.0, description="of the quantile, that the threshold is; 3 with quantile 0.5"
    )
    agree: Literal["local", "gossip"] = Field(
        default="local",
        description="the quantile of the node's own residuals, or of all, agreed on by gossip",
    )
    every: Positive | None = Field(
        default=None,
        description="units of time between two thresholds, the first one being after as many "
        "(with loss: signs at the start); "
        "if absent 250 with agree: gossip, else every gradient has its own",
    )
    times: Count | None = Field(
        default=None, description="thresholds, after which the last one stays; 8 if absent"
    )
    rounds: Count | None = Field(
        default=None, description="rounds of gossip to agree on a threshold; 150 if absent"
    )

    @model_validator(mode="after")
    def _no_option_is_idle(self) -> "Trim":
        if self.agree == "local" and self.rounds is not None:
            raise misuse("only agree: gossip has it, and agree is local", "rounds")
        if self.period is None and self.times is not None:
            raise misuse("without every each gradient has a threshold of its own", "times")
        return self

    @property
    def period(self) -> float | None:
        """Between two thresholds; None where every gradient has its own."""
        return PERIOD if self.every is None and self.agree == "gossip" else self.every

    @property
    def stages(self) -> Stages | None:
        """When thresholds are set; None where every gradient has its own."""
        return None if self.period is None else self.stages_from(None)

    def stages_from(self, first: float | None) -> Stages:
        """The same of thresholds that are set every so often, the first one then."""
        rounds = (self.rounds or ROUNDS) if self.agree == "gossip" else 0
        return Stages(self.period or PERIOD, self.times or TIMES, rounds, first)

    def kept_outliers(self, fraction: float) -> str:
        """What is wrong where this ``fraction`` of the samples are outliers; empty if nothing is.

        A multiple of a quantile is not judged.
        """
        most = round(1 - fraction, 12)
        if self.multiple != 1 or self.quantile <= most:
            return ""
        return (
            f"{self.quantile:g} keeps more than 1 - outliers.fraction = {most:g}; "
            f"choose at most {most:g}"
        )
