"""Every error the training package raises by itself.

TrainingError             of ``ecg.errors.EcgError``
    MarkersError          a page has no place for the figures that were to be written into it
"""

from ecg.errors import EcgError


class TrainingError(EcgError):
    """Base of all errors raised by the training package."""


class MarkersError(TrainingError):
    """A page has no place for the figures that were to be written into it."""
