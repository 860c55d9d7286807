"""Every error the ecg package raises.

EcgError
    RecordError            a recording cannot be read, or contradicts itself
        LeadError          a lead that was asked for is not there
        DownloadError      a recording cannot be fetched
    ScriptError            a simulated patient cannot be played so
    RateError              a sampling frequency that the engine does not accept
    ChunkError             a chunk of samples that contradicts itself or its stream
    FindingsError          findings that contradict what was folded before them
    ActionError            an action that cannot be applied to this patient
    StateError             exported state that cannot be restored here
    CheckpointError        weights that are absent, damaged or made for another model
    DeviceError            a device to run models on that is unknown or not there
"""


class EcgError(Exception):
    """Base of all errors raised by the ecg package."""


class RecordError(EcgError):
    """A recording cannot be read, or its parts contradict each other."""


class LeadError(RecordError):
    """A lead that was asked for is not in the recording."""


class DownloadError(RecordError):
    """A recording cannot be fetched from PhysioNet."""


class ScriptError(EcgError):
    """A script that no simulated patient can play."""


class RateError(EcgError):
    """A sampling frequency outside what the engine accepts."""


class ChunkError(EcgError):
    """A chunk of samples contradicts itself or the stream it belongs to."""


class FindingsError(EcgError):
    """Findings contradict what was folded before them, or say too little."""


class ActionError(EcgError):
    """An action cannot be applied to this patient as it asks."""


class StateError(EcgError):
    """Exported state cannot be restored: wrong layout, version or patient."""


class CheckpointError(EcgError):
    """Model weights are absent, damaged, or belong to another architecture."""


class DeviceError(EcgError):
    """Models were asked to run on a device that is unknown or not there."""
