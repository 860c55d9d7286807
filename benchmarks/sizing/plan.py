"""What a site needs: patients are placed on partitions and scorers, brokers and disks counted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.sizing.site import Figure, Site
from benchmarks.sizing.weight import Weight

DRAWS = 20
MOST_PARTITIONS = 1024
_HOURS_A_MONTH = 730.0
_MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a site needs."""

    site: str
    people: int
    at_once: int
    cells: int
    """Kafka clusters with their roles; what follows is of all of them together."""
    partitions: int
    brokers: int
    scorers: int
    busiest: float
    """Share of its core that the busiest scorer uses, with some lost."""
    gpus: int
    alarm_cores: int
    archive_cores: int
    mb_s: float
    """Into Kafka, one copy."""
    kafka_tb: float
    """Kept in Kafka, all copies."""
    archive_tb_day: float
    kb_patient_s: float
    price_patient_month: float
    """Per person, without the archive's disks."""


def scorers_for(
    patients: int, *, per_core: float, most: float, lost: float, seed: int = 0
) -> tuple[int, int, float]:
    """Return partitions, scorers, and how busy the busiest of them is with some lost.

    Parameters
    ----------
    patients : int
        Of one cell.
    per_core : float
        Patients that use one core up.
    most : float
        Share of its core that the busiest may use.
    lost : float
        Share of the scorers, at least one, that may be gone.

    Raises
    ------
    ValueError
        If no number of partitions is enough: make the cells smaller.

    Examples
    --------
    >>> scorers_for(1000, per_core=3000.0, most=0.5, lost=0.02)[1]
    2
    """
    random = np.random.default_rng(seed)
    partitions = 8
    while partitions <= MOST_PARTITIONS:
        drawn = random.multinomial(patients, np.full(partitions, 1 / partitions), size=DRAWS)
        fewest = math.ceil(patients / per_core / most) + 1
        for scorers in range(max(2, fewest), min(partitions, math.ceil(fewest * 1.25) + 1) + 1):
            left = scorers - max(1, math.ceil(lost * scorers))
            share, more = divmod(partitions, left)
            # range: the first ones get one partition more
            starts = np.cumsum([0, *([share + 1] * more), *([share] * (left - more))])[:-1]
            busiest = float(np.add.reduceat(drawn, starts, axis=1).max() / per_core)
            if busiest <= most:
                return partitions, scorers, busiest
        partitions *= 2
    raise ValueError(
        f"{patients} patients do not fit {MOST_PARTITIONS} partitions at {per_core:g} a core; "
        "make the cells smaller"
    )


def plan(site: Site, weight: Weight, figures: Mapping[str, Figure]) -> Plan:
    """Return what a site needs."""
    value = {name: figure.value for name, figure in figures.items()}
    at_once = round(site.people * site.at_once)
    cells = math.ceil(at_once / value["cell"])
    per_cell = math.ceil(at_once / cells)
    most = min(value["busy"], value["catch_up_s"] / (value["catch_up_s"] + value["outage_s"]))

    def scored(per_core: float) -> tuple[int, int, float]:
        return scorers_for(per_cell, per_core=per_core, most=most, lost=value["lost"])

    partitions, scorers, busiest = scored(value["scorer_per_core"])
    gpus = 0
    with_gpu = scored(value["scorer_per_core"] / (1 - value["model_share"]))
    needed = math.ceil(per_cell / value["gpu_patients"] / value["busy"]) + 1
    if (scorers - with_gpu[1]) * value["core_price"] > needed * value["gpu_price"]:
        (partitions, scorers, busiest), gpus = with_gpu, needed
    copies = value["replication"]
    by_bytes = per_cell * weight.whole * copies / _MB / value["broker_mb_s"]
    by_messages = per_cell * weight.messages / value["broker_messages_s"]
    # one may be gone
    brokers = max(3, math.ceil(max(by_bytes, by_messages) / value["busy"]) + 1)
    kept = weight.waveforms * value["waveforms_h"] + weight.findings * value["findings_h"]
    kafka_gb = at_once * kept * 3600 * copies / 1e9
    alarm = math.ceil(per_cell / value["alarm_per_core"] / value["busy"]) + 1
    archive = math.ceil(per_cell / value["archive_per_core"] / value["busy"]) + 1
    cores = scorers + alarm + archive + brokers * value["broker_cores"]
    hourly = cells * (cores * value["core_price"] + gpus * value["gpu_price"])
    monthly = hourly * _HOURS_A_MONTH + kafka_gb * value["disk_price"]
    samples = 2 * len(site.leads) * site.fs
    return Plan(
        site=site.name,
        people=site.people,
        at_once=at_once,
        cells=cells,
        partitions=partitions * cells,
        brokers=brokers * cells,
        scorers=scorers * cells,
        busiest=busiest,
        gpus=gpus * cells,
        alarm_cores=alarm * cells,
        archive_cores=archive * cells,
        mb_s=at_once * weight.whole / _MB,
        kafka_tb=kafka_gb / 1000,
        archive_tb_day=at_once * samples * 86400 / 1e12,
        kb_patient_s=weight.whole / 1000,
        price_patient_month=monthly / site.people,
    )
