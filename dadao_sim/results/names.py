"""How the methods are called in print."""

EXPERIMENTAL = " (experimental)"
"""Ends the name of a method in a run that no theorem covers, in every table and legend."""

DISPLAY_NAMES = {
    "dadao": "DADAO",
    "continuized": "Continuized",
    "msda": "MSDA",
    "ssda": "SSDA",
    "adom_plus": "ADOM+",
    "adom_plus_multi_consensus": "ADOM+ (multi-consensus)",
    "a2cid2": "A2CiD2",
    "ad_psgd": "AD-PSGD",
    "randomised_gossip": "Randomised gossip",
    "accelerated_gossip": "Accelerated gossip",
    "dgd": "DGD",
    "d_psgd": "D-PSGD",
    "gradient_tracking": "Gradient tracking",
    "extra": "EXTRA",
    "pg_extra": "PG-EXTRA",
    "nids": "NIDS",
    "prox_ed": "Prox-ED",
    "d_admm": "D-ADMM",
    "opapc": "OPAPC",
    "lead": "LEAD",
    "prox_lead": "Prox-LEAD",
    "choco_sgd": "CHOCO-SGD",
    "sonata": "SONATA",
    "dual_proximal_gradient": "Dual prox-gradient",
}


def display_name(label: str, method: str) -> str:
    """What to print for an algorithm: the user's label, or the method's name if none was given;
    marked where the method is.
    """
    name = method.removesuffix(EXPERIMENTAL)
    shown = DISPLAY_NAMES.get(name, label) if label == name else label
    return shown + EXPERIMENTAL if method != name else shown
