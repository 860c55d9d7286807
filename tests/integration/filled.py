"""Topics with something in them, for tests of the transport."""

from stream.kafka import Cluster, Producer

W, A = "ecg.waveforms", "ecg.actions"
PARTITIONS = 4


def fill(cluster: Cluster, topic: str = W, *, patients: int = 10, each: int = 10) -> None:
    with Producer(cluster) as producer:
        for number in range(each):
            for patient in range(patients):
                producer.send(topic, f"p{patient}", f"{patient}:{number}".encode())
