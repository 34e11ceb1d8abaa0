"""What the server of `harness` imports once for all runs."""

import gc
import importlib

import ssdet
from ssdet.datasets.demo.digits import glyphs

for name in (
    "mmdet.evaluation", "mmdet.models", "mmseg.evaluation", "mmseg.models",
    # What is left out until it is used, as every run does: seconds for each.
    "jinja2", "matplotlib.backends.backend_agg", "matplotlib.figure", "torch._dynamo",
    "yapf.yapflib.yapf_api", "ssdet.cli.doctor", "ssdet.cli.launch", "ssdet.cli.train",
):  # fmt: skip
    importlib.import_module(name)

ssdet.register()
glyphs()  # scikit-learn, and the digits of all runs

# As in tests/conftest.py: each data set of a run calls `gc.collect()`.
gc.collect()
gc.freeze()
