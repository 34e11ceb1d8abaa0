"""What the server of `harness` imports once for all runs."""

import importlib

for name in ("ssdet", "mmdet.evaluation", "mmdet.models", "mmseg.evaluation", "mmseg.models"):
    importlib.import_module(name)
