"""Every error the training package raises by itself.

TrainingError             of ``ecg.errors.EcgError``
    FiguresError          a file of figures has not those that were to be shown
    MarkersError          a page has no place for the figures that were to be written into it
    PlaceError            what was asked for cannot be written where it was to go
    ProcessDiedError      a process that works for the command ended before its work did
    SpaceError            a search space that cannot be searched
"""

from ecg.errors import EcgError


class TrainingError(EcgError):
    """Base of all errors raised by the training package."""


class FiguresError(TrainingError):
    """A file of figures has not those that were to be shown."""


class MarkersError(TrainingError):
    """A page has no place for the figures that were to be written into it."""


class PlaceError(TrainingError):
    """What was asked for cannot be written where it was to go."""


class ProcessDiedError(TrainingError):
    """A process that works for the command ended before its work did."""


class SpaceError(TrainingError):
    """A search space names what cannot be searched, or says nothing."""
