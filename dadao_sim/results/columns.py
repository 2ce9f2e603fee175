"""The columns of a result's tables, and how a run can end."""

CURVE_COLUMNS = (
    "algorithm",
    "method",
    "repeat",
    "time",
    "gradients",
    "conjugate_gradients",
    "local_solves",
    "communications",
    "messages",
    "floats_sent",
    "bytes_sent",
    "rounds",
    "events",
    "mean_squared_distance",
    "accuracy",
    "suboptimality",
    "consensus_error",
)
RUN_COLUMNS = (
    "algorithm",
    "method",
    "experimental",
    "constants",
    "repeat",
    "status",
    "reason",
    "events",
    "time",
    "gradients",
    "communications",
)
UNKNOWN = "unknown"
"""The constants of a run of an older result, which does not say whose they are."""
STATUSES = CONVERGED, STOPPED, DIVERGED = "converged", "stopped", "diverged"
UNTIL = "until "
"""How the reason of a run begins that ended where a metric had come to its value."""
LAST_ROUND = "last round"
"""Why a run of a method stopped that has so many rounds and no more."""
COUNT_COLUMNS = CURVE_COLUMNS[3:13]  # what never decreases in a run
ERROR_COLUMNS = CURVE_COLUMNS[13:]
LATER_COLUMNS = ("events",)
"""Of the curves, those that older results do not have."""
