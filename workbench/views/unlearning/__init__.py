"""What became of a stream of requests: along the stream, at its end, and for one person."""

from workbench.views.unlearning.dashboard import Dashboard
from workbench.views.unlearning.frontier import Frontier
from workbench.views.unlearning.people import People

__all__ = ["Dashboard", "Frontier", "People"]
