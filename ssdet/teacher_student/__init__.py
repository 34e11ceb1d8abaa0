"""The core: what a teacher-student step is, for detection and segmentation. It imports no hook."""

from .core import TeacherStudent
from .detector import TeacherStudentDetector
from .phase import Phase
from .pseudo_boxes import AMBIGUOUS, HIGH, LOW, PseudoBoxes
from .segmentor import TeacherStudentSegmentor
from .step import PixelLabels, Step, Views

__all__ = [
    "AMBIGUOUS",
    "HIGH",
    "LOW",
    "Phase",
    "PixelLabels",
    "PseudoBoxes",
    "Step",
    "TeacherStudent",
    "TeacherStudentDetector",
    "TeacherStudentSegmentor",
    "Views",
]
