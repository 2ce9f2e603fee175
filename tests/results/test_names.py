"""What an algorithm is called in print."""

import pandas as pd
import pytest
from synthetic import finished_run, result

from dadao_sim.errors import InputError
from dadao_sim.results.names import printed_names
from dadao_sim.text.labels import printed_name


def test_a_label_of_the_users_goes_before_the_title_of_the_method():
    assert printed_name("adom_plus", "adom_plus", "ADOM+", False) == "ADOM+"
    assert printed_name("half the rate", "dadao", "DADAO", False) == "half the rate"
    assert printed_name("half the rate", "dadao", "DADAO", True) == "half the rate (experimental)"


def test_a_result_knows_its_names_without_the_registry():
    made = result(finished_run("dadao"), finished_run("dadao", label="half"), finished_run("mine"))
    made.manifest["methods"]["dadao"] = {"title": "Another", "look": "black long P"}
    assert made.names == {"dadao": "Another", "half": "half", "mine": "mine"}
    assert made.looks == {"dadao": "black long P", "mine": None}


def test_one_repeat_that_is_experimental_marks_its_label():
    made = result(
        finished_run("nids"), finished_run("dadao"), finished_run("dadao", 1, experimental=True)
    )
    assert made.names == {"nids": "NIDS", "dadao": "DADAO (experimental)"}
    assert made.summary.groupby("algorithm")["experimental"].all().to_dict() == {
        "nids": False,
        "dadao": True,
    }


def test_a_manifest_without_methods_is_not_one_of_a_result():
    made = result(finished_run("dadao"))
    del made.manifest["methods"]
    with pytest.raises(InputError, match="manifest: a section 'methods' is missing"):
        _ = made.titles


def test_constants_that_are_not_the_papers_are_named_where_no_label_says_so():
    assert printed_name("dadao", "dadao", "DADAO", True, "fast") == "DADAO, fast (experimental)"
    assert printed_name("DADAO, tuned", "dadao", "DADAO", True, "tuned").count("tuned") == 1
    assert printed_name("dadao", "dadao", "DADAO", False, "own") == "DADAO"


def test_a_label_of_paper_and_tuned_constants_says_so():
    made = result(finished_run("dadao"), finished_run("nids"))
    tuned = made.runs.assign(constants="tuned", experimental=True)
    both = pd.concat([made.runs, tuned[tuned["algorithm"] == "dadao"]])
    assert printed_names(both, made.titles) == {
        "dadao": "DADAO, paper and tuned constants (experimental)",
        "nids": "NIDS",
    }
