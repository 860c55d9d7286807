"""The states of the role ``score``: of each patient what it takes to go on elsewhere."""

import logging
from collections.abc import Mapping

from ecg.errors import StateError
from ecg.monitor import Monitor
from stream.kafka import Producer
from stream.messages import ScoreState
from stream.score_output import Output
from stream.score_patient import Partition
from stream.topics import SCORE_STATE
from stream.wire import encode

logger = logging.getLogger(__name__)

FORGET_AFTER_S = 24 * 3600.0
"""A patient who has sent nothing for this long is forgotten: the waveforms are gone as well."""


class States:
    """Writes the states of patients for ``score``, each when it is due.

    Parameters
    ----------
    partitions : mapping
        Those that are ours, by number; kept up to date by the owner.
    producer : Producer
        Sends them.
    monitor : Monitor
        Exports them.
    output : Output
        What it has sent comes before them.
    """

    def __init__(
        self,
        partitions: Mapping[int, Partition],
        producer: Producer,
        monitor: Monitor,
        output: Output,
    ) -> None:
        self._partitions = partitions
        self._producer = producer
        self._monitor = monitor
        self._output = output

    def write(self, *, now_s: float, everyone: bool = False) -> None:
        """Write the states that are due, when all that they cover is acknowledged.

        Parameters
        ----------
        now_s : float
            Now, monotonic.
        everyone : bool
            Also those that are not due and hold something new.

        Raises
        ------
        BrokerError
            If anything is not acknowledged.
        """
        due = [
            (part, list(part.ledger.due(everyone=everyone))) for part in self._partitions.values()
        ]
        for part, names in due:
            # a state covers what is held back, so that must be out before
            self._output.let_go(part, names)
        self._output.settle()
        written = [
            (part, name) for part, names in due for name in names if self._write(part, name, now_s)
        ]
        if written:
            self._producer.flush()
        for part, name in written:
            part.ledger.written(name)

    def _write(self, part: Partition, name: str, now_s: float) -> bool:
        patient = part.patients[name]
        if now_s - patient.heard_s > FORGET_AFTER_S:
            self._forget(part, name)
            return False
        try:
            exported = self._monitor.export(name)
        except StateError as error:
            logger.warning("%s has no state yet: %s", name, error)
            if name not in part.waiting:
                part.ledger.forget(name)
            return False
        state = ScoreState(
            patient=name,
            epoch=part.epoch,
            inputs=part.ledger.inputs(name),
            streams=tuple(patient.streams),
            end_sample=patient.end_sample,
            state=exported,
        )
        self._producer.send(SCORE_STATE.name, name, encode(state), partition=part.number)
        return True

    def _forget(self, part: Partition, name: str) -> None:
        logger.info("%s has sent nothing for a day and is forgotten", name)
        self._producer.send(SCORE_STATE.name, name, None, partition=part.number)
        self._monitor.discharge(name)
        part.watermarks.forget(name)
        part.ledger.forget(name)
        del part.patients[name]
