"""Which target answers. Pure: load comes in as a value, the roll of the dice as an argument.

- `weights`: by weight alone.
- `power_of_two`: by weight and load, for targets of which any will do.
- `affinity`: by the conversation's beginning, for self-hosted replicas with a prefix cache; where
  they stand among other targets is still the load's choice (`with_affinity`).

Each gives an order: who is asked first, and who is asked after that if it fails.
"""

from forebay.routing.affinity import opening, order_by_prefix, prefix_key, with_affinity
from forebay.routing.load import UNKNOWN, Load
from forebay.routing.power_of_two import order_by_load
from forebay.routing.weights import weighted_choice

__all__ = [
    "UNKNOWN",
    "Load",
    "opening",
    "order_by_load",
    "order_by_prefix",
    "prefix_key",
    "weighted_choice",
    "with_affinity",
]
