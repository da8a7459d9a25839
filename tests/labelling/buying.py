"""A small project and a service that sells to it, for tests of what is paid."""

import shutil
from typing import Any

from pipeline.labelling import planned
from pipeline.labelling.stores.summary import summary
from pipeline.params import Params
from pipeline.paths import Paths
from pipeline.stages import hints, label
from tests.labelling.conftest import DATASET, StartStub, Stub, paying

Row = dict[str, Any]


class Shop:
    """Buys hints and rankings through the stages; each `serve` is a new service."""

    def __init__(self, shipped: Params, paths: Paths, start: StartStub) -> None:
        self.shipped, self.paths, self._start = shipped, paths, start
        self.params, self.stub = shipped, Stub("", paths.root)

    def serve(self, *faults: Row | None, **transport: Any) -> Params:
        """Start a service with some faults and return parameters that buy from it."""
        self.stub = self._start(*faults)
        self.params = paying(self.shipped, self.stub.url, **transport)
        return self.params

    def buy(self, params: Params | None = None) -> label.Summary:
        """Run the stages that pay."""
        asked = params or self.params
        hints.run(asked, self.paths, DATASET)
        return label.run(asked, self.paths, DATASET)

    def allowed(self, **transport: Any) -> Params:
        """Return the parameters with other limits."""
        limits = self.params.label_transport.model_copy(update=transport)
        return self.params.model_copy(update={"label_transport": limits})

    def labelled_by(self, **label: Any) -> Params:
        """Return the parameters with another labeller."""
        return self.params.model_copy(update={"label": self.params.label.model_copy(update=label)})

    def plan(self, params: Params | None = None) -> tuple[Row, Row]:
        """Return what is planned: hints, then rankings."""
        ours, theirs = planned.plan_rows(params or self.params, self.paths, DATASET)
        return ours, theirs

    @property
    def sold(self) -> int:
        """How many answers the service was paid for."""
        return len(self.stub.paid())

    def stored(self) -> int:
        """Return how many rankings the store holds."""
        return summary(self.paths.labels_store(DATASET)).rows

    def forget_stores(self) -> None:
        """Lose both stores and the names of their parts, as a wrong `git clean` does."""
        for folder in (self.paths.labels_store(DATASET), self.paths.hints_store(DATASET)):
            shutil.rmtree(folder, ignore_errors=True)
        for names in (self.paths.label_parts(DATASET), self.paths.hint_parts(DATASET)):
            names.unlink(missing_ok=True)
