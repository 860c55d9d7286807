"""What the engine keeps of a patient: one row of a structured array.

One row is everything that the compiled path knows, so exporting a patient is
copying its bytes, and thousands of patients lie one after the other in memory.
"""

import numpy as np

from ecg.filters import (
    ENGINE_FS,
    MAX_TAPS,
    MIDDLE_BAND,
    QRS_BAND,
    SLOW_BAND,
    WANDER_FREE,
)

N_LEADS = 2
"""Leads that are judged at most: a second one tells ventricular beats and artefacts apart."""

AHEAD = 64
"""Engine samples that are filtered in one go, before they are looked at one by one."""

RING = 608 + AHEAD
"""Engine samples of trace: a beat window may reach back 2.0 s to decide and 0.4 s before R."""

BAND_REACH = 160
"""Engine samples of the QRS band that placing an R peak may reach back."""

BAND_RING = 256
"""Engine samples of the QRS band that are kept: ``AHEAD`` more, and a power of two."""

DIFFERENCE = 10
"""Engine samples between the two ends of the slope, 39 ms."""

INTEGRATE = 37
"""Engine samples over which the slope is averaged, 148 ms: the width of a wide QRS."""

CANDIDATES = 16
"""Peaks remembered since the last beat, for search-back; a peak needs 0.1 s."""

PENDING = 16
"""Beats that wait for their judgement, at most 2 s at the 200-ms refractory time, and spare."""

SHAPES = 2
"""Templates of QRS complexes that the detector keeps: the usual shape, and another."""

SHAPE = 20
"""Samples of such a template, at half the engine rate: 160 ms of the QRS band."""

RR_MEMORY = 12
"""RR intervals remembered, for the heart rate."""

COMPARISONS = 8
"""Numbers that say how an RR interval compares with those before it."""

UNITS = 8
"""Of the LSTM that hears them and tells atrial fibrillation."""

WINDOW = 125
"""Samples of a beat window, at half the engine rate: 1 s."""

PATIENT = np.dtype(
    [
        # where the stream stands
        ("origin", "i8"),  # stream sample at which this segment of signal began
        ("taken", "i8"),  # stream samples taken since then
        ("made", "i8"),  # engine samples made since then
        ("second", "i8"),  # next whole second of the stream to state
        ("valid", "i8"),  # stream samples with a valid lead since the warm-up began
        # how its columns are read
        ("n_leads", "i8"),
        ("column", "i4", (N_LEADS,)),
        ("gain", "f8", (N_LEADS,)),
        ("baseline", "f8", (N_LEADS,)),
        # bridging over missing samples
        ("last", "f8", (N_LEADS,)),
        ("shift", "f8", (N_LEADS,)),
        ("seen", "i4", (N_LEADS,)),
        ("held", "i4", (N_LEADS,)),  # 1: its newest sample is missing
        ("steepest", "f8"),  # mV/s; what moves faster is no heart
        # filters
        ("history", "f8", (N_LEADS, MAX_TAPS)),  # stream samples, as far back as it needs
        ("wander", "f8", (N_LEADS, WANDER_FREE.shape[0], 2)),
        ("band", "f8", (N_LEADS, QRS_BAND.shape[0], 2)),
        ("trace", "f4", (RING, N_LEADS)),  # 0.5-40 Hz, mV
        ("qrs_band", "f4", (BAND_RING, N_LEADS)),
        # QRS detector
        ("slopes", "f4", (INTEGRATE + 1, N_LEADS)),  # ring of INTEGRATE values
        ("sums", "f8", (N_LEADS,)),  # of them
        ("usual", "f8", (N_LEADS,)),  # height of a lead's beats, mV; 0: unknown
        ("highest", "f8", (N_LEADS,)),  # of its beats of late
        ("rest", "f8", (N_LEADS,)),  # height between them, a running quartile
        ("trust", "f8", (N_LEADS,)),  # shares of the leads; they sum to 1
        ("weight", "f8", (N_LEADS,)),  # of a millivolt of height
        ("height", "f8"),  # combined, in units of a usual beat's
        ("valley", "f8"),  # lowest since the last candidate
        ("tall_r", "i8"),  # of the last tall candidate, taken or not; its gap and height
        ("tall_gap", "i8"),
        ("tall_height", "f8"),
        ("tall_n", "i8"),  # how many came at equal gaps
        ("peak", "f8"),
        ("peak_at", "i8"),
        ("peak_heights", "f8", (N_LEADS,)),
        ("rising", "i8"),
        ("learned", "i8"),
        ("looked_at", "i8"),  # R peak of the newest candidate
        ("looks", "f8", (21,)),  # what is known of the newest candidate
        ("shape_n", "i8", (SHAPES,)),  # beats that templates have learnt from
        ("shapes", "f4", (SHAPES, SHAPE, N_LEADS)),
        ("candidate_n", "i8"),
        ("candidate_r", "i8", (CANDIDATES,)),
        ("candidate_odds", "f8", (CANDIDATES,)),
        ("candidate_slope", "f8", (CANDIDATES,)),
        ("candidate_heights", "f4", (CANDIDATES, N_LEADS)),
        ("last_r", "i8"),  # engine sample; -1: none in this segment
        ("last_slope", "f8"),
        # RR intervals in engine samples
        ("blind", "i8"),  # no lead could be judged since the last beat that counted
        ("rr_n", "i8"),
        ("rr", "f8", (RR_MEMORY,)),
        ("rr_mean", "f8"),  # of regular beats, for search-back
        ("rr_long", "f8"),  # over about a minute, for the features
        # h and c of the LSTM that tells atrial fibrillation, and how many intervals it has heard
        ("fibrillation", "f8", (2, UNITS)),
        ("fibrillation_n", "i8"),
        # beats that wait for their judgement
        ("pending_n", "i8"),
        ("pending_r", "i8", (PENDING,)),
        ("pending_rr", "f8", (PENDING,)),
        # features
        ("template", "f4", (N_LEADS, WINDOW)),
        ("template_n", "i4", (N_LEADS,)),
        ("scale", "f8", (N_LEADS,)),
        # signal quality, in the running second
        ("q_samples", "i8"),
        ("q_missing", "i4", (N_LEADS,)),
        ("q_min", "f8", (N_LEADS,)),
        ("q_max", "f8", (N_LEADS,)),
        ("q_same", "i4", (N_LEADS,)),  # longest run of one value now
        ("q_stuck", "i4", (N_LEADS,)),  # samples in runs of one value
        ("q_last", "f8", (N_LEADS,)),
        ("q_fast", "f8", (N_LEADS,)),  # sum of squared second differences of the trace
        ("q_fast_n", "i8"),
        ("q_flat_s", "i4", (N_LEADS,)),  # seconds without movement
        ("q_noisy", "f8", (N_LEADS,)),  # running noise, mV
        ("q_slow_memory", "f8", (N_LEADS, SLOW_BAND.shape[0], 2)),
        ("q_middle_memory", "f8", (N_LEADS, MIDDLE_BAND.shape[0], 2)),
        ("q_bands", "f8", (N_LEADS, 4)),  # in the running second: slow, middle, usual, highest
        ("q_motion", "f8", (N_LEADS, 4)),  # the same over some seconds
        ("q_r", "i8"),  # of the beat judged last, and its RR interval
        ("q_rr", "f8"),
        ("q_jitter", "f8"),  # running change from one RR interval to the next, as a share
        ("unfit", "i4", (N_LEADS,)),  # a code of ecg.quality
    ],
    align=True,
)
"""Everything the compiled path keeps of one patient. No field leaves a hole before the next,
so that equal states are equal bytes."""

SIGNAL_FIELDS = (
    "taken", "made", "last", "shift", "seen", "held", "history", "wander", "band",
    "trace", "qrs_band", "slopes", "sums", "height", "valley", "tall_r",
    "tall_gap", "tall_height", "tall_n", "peak", "peak_at", "rising",
    "candidate_n",
    "pending_n", "last_slope",
    "q_slow_memory", "q_middle_memory",
)  # fmt: skip
"""What a splice or a gap too long to bridge sets back to zero; levels and templates stay."""

SECONDS = float(ENGINE_FS)
