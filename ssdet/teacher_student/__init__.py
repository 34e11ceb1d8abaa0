"""The core: what a teacher-student step is, for detection and segmentation. It imports no hook."""

from .core import TeacherStudent
from .detector import TeacherStudentDetector
from .segmentor import TeacherStudentSegmentor
from .step import AMBIGUOUS, HIGH, LOW, PixelLabels, Step, Views

__all__ = [
    "AMBIGUOUS",
    "HIGH",
    "LOW",
    "PixelLabels",
    "Step",
    "TeacherStudent",
    "TeacherStudentDetector",
    "TeacherStudentSegmentor",
    "Views",
]
