"""The offline commands, for the front door: recordings, training, evaluation.

Every command imports its package only when it is called, so that help is there at once.
"""

from training import exam_commands, fit_commands, record_commands
from training.front import app

__all__ = ["app", "exam_commands", "fit_commands", "record_commands"]
