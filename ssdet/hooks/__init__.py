"""Mechanisms of the literature, one file each; a method is a list of them.

| package | belongs there |
|---|---|
| `thresholds` | which of the teacher's labels the student learns from |
| `boxes` | pseudo boxes selected, weighted or merged by more than their score |
| `pixels` | segmentors: label clean-up, uncertainty, perturbation, losses on pixels |
| `mixing` | images and their targets are changed together |
| `networks` | averages of weights, several teachers or students |
| `memory` | labels kept for later steps, or taken from elsewhere |
| `observe` | read-only: pictures, counts, statistics |
| `_parts` | helpers that several hooks share |

The base of all is `StepHook` (`step_hook.py`). A new hook is one file in one of these packages and
one line in its `__init__.py`.
"""

from .boxes import *
from .memory import *
from .mixing import *
from .networks import *
from .observe import *
from .pixels import *
from .step_hook import Phase as Phase
from .step_hook import StepHook as StepHook
from .thresholds import *
