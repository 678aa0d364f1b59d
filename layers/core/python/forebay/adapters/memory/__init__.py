"""Every port's twin in memory, as exact about races as the real adapter.

Both pass the same contract tests (`tests/contract/`). For unit tests and simulations; nothing here
outlives the process.
"""

from forebay.adapters.memory.audit_trail import MemoryAuditTrail
from forebay.adapters.memory.clock import ManualClock
from forebay.adapters.memory.entropy import SeededEntropy
from forebay.adapters.memory.escrow import MemoryEscrow
from forebay.adapters.memory.fleet import MemoryFleet
from forebay.adapters.memory.keys import MemoryKeys
from forebay.adapters.memory.ledger import MemoryLedger
from forebay.adapters.memory.limits import MemoryLimits
from forebay.adapters.memory.scope_policies import MemoryScopePolicies
from forebay.adapters.memory.usage import MemoryUsage

__all__ = [
    "ManualClock",
    "MemoryAuditTrail",
    "MemoryEscrow",
    "MemoryFleet",
    "MemoryKeys",
    "MemoryLedger",
    "MemoryLimits",
    "MemoryScopePolicies",
    "MemoryUsage",
    "SeededEntropy",
]
