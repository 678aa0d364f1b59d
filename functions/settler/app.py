"""The settler function: reads the ledger's stream, and keeps the targets' health for the fleet."""

import os

from forebay.wiring.settler import build_settler

handler = build_settler(os.environ)
