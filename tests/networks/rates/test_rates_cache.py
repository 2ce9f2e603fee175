"""Kept rates are those of today's sources."""

import shutil

from dadao_sim.compiled.sources import PACKAGE
from dadao_sim.networks.rates import cache


def test_an_edit_of_how_rates_are_found_makes_the_kept_ones_old(tmp_path):
    package = tmp_path / "dadao_sim"
    shutil.copytree(PACKAGE, package)
    digests = [cache._sources.__wrapped__(package)]
    # One that others import in functions only, one that they import at their top, and one outside.
    for path in ("networks/rates/conic.py", "networks/network.py", "errors.py"):
        (package / path).write_text((package / path).read_text("utf-8") + "# edited\n", "utf-8")
        digests.append(cache._sources.__wrapped__(package))
    (package / "plotting" / "curves.py").write_text("")
    assert len(set(digests)) == 4
    assert cache._sources.__wrapped__(package) == digests[-1]
