"""How the methods are called in print."""

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
}


def display_name(label: str, method: str) -> str:
    """What to print for an algorithm: the user's label, or the method's name if none was given."""
    return DISPLAY_NAMES.get(method, label) if label == method else label
