"""Candidates for new classes: objects that a detector sees and cannot name, grouped by looks."""

from .classes import Candidate as Candidate
from .classes import Discovery as Discovery
from .classes import discover as discover
from .objects import Asked as Asked
from .page import write_discovery as write_discovery
