"""The core: what a teacher-student step is, for detection and segmentation. It imports no hook.

Here belong the step and its hook points, the pseudo labels that travel through it, how the two
models label, and how weights and ignored regions enter the losses of any model. Not here: what one
method alone does. That is a hook (`ssdet.hooks`); if it cannot be one, a hook point is missing.
"""

from .core import TeacherStudent
from .detector import TeacherStudentDetector
from .foreign import ForeignTeacher
from .hook_points import HookPoints
from .phase import Phase
from .pseudo_boxes import AMBIGUOUS, HIGH, LOW, PseudoBoxes, Source
from .segmentor import TeacherStudentSegmentor
from .step import PixelLabels, Step, Views

__all__ = [
    "AMBIGUOUS",
    "HIGH",
    "LOW",
    "ForeignTeacher",
    "HookPoints",
    "Phase",
    "PixelLabels",
    "PseudoBoxes",
    "Source",
    "Step",
    "TeacherStudent",
    "TeacherStudentDetector",
    "TeacherStudentSegmentor",
    "Views",
]
