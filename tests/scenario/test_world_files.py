"""The files of a world are among those that a result depends on, by their content."""

import pytest

from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.identity import ground_of, input_digest, inputs_of
from dadao_sim.strict import files_named

FILES = {
    "links.csv": "one,other,ms\n0,1,5\n1,2,6\n",
    "failures.csv": "node,from,to\n1,3,4\n",
    "times.csv": "node,time\n0,1\n1,2\n2,3\n",
}
SCENARIO = {
    "name": "files",
    "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 1}},
    "network": {"graph": "path", "nodes": 3, "edge_table": "links.csv"},
    "algorithms": ["dadao"],
    "world": {
        "nodes": {
            "failures": {"file": "failures.csv"},
            "gradient": {"kind": "trace", "file": "times.csv"},
        },
        "links": {"latency": {"attribute": "ms", "times": 0.001}},
    },
    "stop": {"time": 5},
}


def read(folder):
    return scenario_from_mapping(SCENARIO, folder=folder)


@pytest.mark.parametrize("changed", FILES)
def test_a_result_depends_on_what_the_files_hold_and_not_on_where_they_are(tmp_path, changed):
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
        for name, text in FILES.items():
            (tmp_path / folder / name).write_text(text)
    other = tmp_path / "three" / changed
    other.write_text(FILES[changed].replace("3", "2").replace("5", "9"))
    one, two, three = (read(tmp_path / folder) for folder in ("one", "two", "three"))
    named = {name.rpartition("/")[2] for name in files_named(one)}
    assert named == set(FILES)
    assert ground_of(one) == ground_of(two)
    assert input_digest(inputs_of(one)) == input_digest(inputs_of(two))
    assert ground_of(one) != ground_of(three)
    assert input_digest(inputs_of(one)) != input_digest(inputs_of(three))
