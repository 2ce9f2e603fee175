"""The data sets of the LIBSVM page, by their names, fetched by ``libsvmdata``."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from scipy.sparse import issparse

from dadao_sim.errors import InputError, failure
from dadao_sim.memory import Need, require_room
from dadao_sim.problems.data.files import Labels
from dadao_sim.problems.data.source import Samples, SampleSet, Wanted
from dadao_sim.strict import Text, suggestion
from dadao_sim.text.lines import shown


class Libsvm(SampleSet):
    """A data set of the LIBSVM page, split over the nodes; needs the extra ``libsvm``."""

    kind: Literal["libsvm"] = Field(description="a data set of the LIBSVM page, fetched once")
    name: Text = Field(description="what libsvmdata calls it, such as a9a or abalone")
    labels: Labels | None = Field(
        default=None, description="for two classes: which targets are 1 and which -1"
    )

    def refusal(self, wanted: Wanted) -> tuple[str, str] | None:
        """Labels are for two classes."""
        if self.labels is not None and not wanted.labels:
            return "labels", f"{wanted.kind} has no classes; leave it out"
        return super().refusal(wanted)

    def read(self, *, points: bool) -> Samples:
        """As a dense table; InputError for a name that there is not, and where none can be had."""
        sets = _sets()
        if self.name not in sets:
            wrong = f"unknown value {shown(self.name)}{suggestion(self.name, sets)}"
            raise InputError("name", wrong)
        asked = sets[self.name]
        holder = next(n for n, one in sets.items() if one.dataset_url == asked.dataset_url)
        if holder != self.name:  # libsvmdata 0.5 has w1a under the names of w3a to w6a
            wrong = f"libsvmdata has the file of {holder} under the name {self.name}"
            raise InputError("name", wrong, "get the file itself, and read it by kind: file")
        try:
            X, y = asked.get_X_y()
        except Exception as error:
            instead = "download it by hand, and read it by kind: file"
            raise failure(f"name: {self.name} cannot be fetched", error, instead) from error
        if issparse(y):
            wrong = f"{self.name} has several labels for a sample"
            raise InputError("name", wrong, "a set with one is needed")
        if issparse(X):
            rows, columns = X.shape
            dense = f"{self.name} as a table of {rows:,} samples and {columns:,} features"
            require_room(Need("name", dense, 8 * rows * columns))
            X = X.toarray()
        if points:
            return Samples(X, None)
        return Samples(X, y if self.labels is None else self.labels.signs(y, self.name))


def _sets() -> Mapping[str, Any]:
    """What libsvmdata can fetch, by name."""
    try:
        from libsvmdata import ALL_DATASETS
    except ImportError:
        needed = 'pip install "dadao-sim[libsvm]"'
        raise InputError("kind", "libsvm needs libsvmdata", f"install it with: {needed}") from None
    return ALL_DATASETS
