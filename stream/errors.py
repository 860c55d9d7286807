"""Every error the stream package raises.

StreamError
    SettingsError              a setting is unknown or cannot be used
    DecodeError                message bytes are not a known message; never retriable
        WrongKeyError          a message does not stand under its patient's key
    BrokerError                the broker is away or refused; retriable
        FencedError            this member's partitions belong to another one now
    ArchiveError               the archive cannot be written; retriable
    ProcessError               a child process cannot be started or kept running
    DeliveryError              a webhook did not take the alert; retriable
        DeliveryRefusedError   the endpoint answered for good that it will not; never retriable
"""


class StreamError(Exception):
    """Base of all errors raised by the stream package."""

    retriable = False


class SettingsError(StreamError):
    """A setting is unknown or has a value that cannot be used."""


class DecodeError(StreamError):
    """Bytes that are not a known message."""


class WrongKeyError(DecodeError):
    """A message that does not stand under its patient's key."""


class BrokerError(StreamError):
    """The broker is not there, or refused what was asked."""

    retriable = True


class FencedError(BrokerError):
    """The group has moved on: what was ours may be somebody else's, so write nothing more."""


class ArchiveError(StreamError):
    """The archive's disk is full or not writable."""

    retriable = True


class ProcessError(StreamError):
    """A child process cannot be started, or keeps ending."""


class DeliveryError(StreamError):
    """A webhook did not take the alert this time."""

    retriable = True


class DeliveryRefusedError(DeliveryError):
    """A webhook answered that it will never take the alert."""

    retriable = False
