"""Reading sources that nothing is taken from by being received: a queue that is observed, and objects under a prefix.

Each visit does a bounded piece of work and says how long to stay away.
"""

from deadletter.visits.objects import ObjectVisit
from deadletter.visits.observed import ObservedVisit, Pace
from deadletter.visits.visit import Visit

__all__ = ["ObjectVisit", "ObservedVisit", "Pace", "Visit"]
