"""What the server of `harness` imports once for all runs."""

import gc
import importlib

for name in ("ssdet", "mmdet.evaluation", "mmdet.models", "mmseg.evaluation", "mmseg.models"):
    importlib.import_module(name)

# As in tests/conftest.py: each data set of a run calls `gc.collect()`.
gc.collect()
gc.freeze()
