"""Which MIT-BIH records teach and which examine, with no person on both sides.

The split is the inter-patient one of de Chazal, O'Dwyer and Reilly (IEEE
Transactions on Biomedical Engineering 2004;51(7):1196-1206), which every
published table uses. It has one flaw: records 201 (DS1) and 202 (DS2) are the
same person. ``DS2_STRICT`` leaves 202 out.
"""

import re
from collections.abc import Iterable
from pathlib import Path

MITDB = "mitdb"
"""The database that is split."""

DS1 = tuple(
    """
    101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230
    """.split()
)
"""Records that may be learnt from."""

DS2 = tuple(
    """
    100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234
    """.split()
)
"""Records that examine: between alternatives others decide (docs/concepts/ds2-runs.md)."""

PACED = ("102", "104", "107", "217")
"""Left out of both, as EC57 asks for patients with pacemakers."""

SAME_PERSON = {"202": "201"}
"""Records of a person who has another record, under whose name the person goes."""

DS2_STRICT = tuple(name for name in DS2 if name not in SAME_PERSON)
"""DS2 without the person who is also in DS1."""

NAMED = {"ds1": DS1, "ds2": DS2, "ds2-strict": DS2_STRICT}
"""The lists that may be asked for by name."""

_DATABASE_OF_FOLDER = {
    **{name: name for name in (MITDB, "nstdb", "svdb", "vfdb", "challenge2015", "challenge2017")},
    "mit-bih-arrhythmia-database": MITDB,
    "mit-bih-noise-stress-test-database": "nstdb",
    "mit-bih-supraventricular-arrhythmia-database": "svdb",
    "mit-bih-malignant-ventricular-ectopy-database": "vfdb",
}
"""Databases by the names that folders of them have, the long ones in PhysioNet's archives."""

_VERSION = re.compile(r"-\d+\.\d.*")


def database_of(directory: str | Path) -> str:
    """Return the database that a folder holds: the one that it or a folder above it is called by.

    The innermost folder that is known counts, whatever its version and its capitals; where none
    is, the folder's own name is returned.

    Examples
    --------
    >>> database_of("physionet.org/files/mitdb/1.0.0"), database_of("/home/mitdb/data/svdb")
    ('mitdb', 'svdb')
    >>> database_of("mit-bih-arrhythmia-database-1.0.0"), database_of("/home/me/hospital")
    ('mitdb', 'hospital')
    """
    path = Path(directory)
    # as it is called first: a link may be the only one that says what it leads to
    inwards = (*path.resolve().parts, *path.absolute().parts)
    names = (_VERSION.sub("", part.casefold()) for part in reversed(inwards))
    known = (_DATABASE_OF_FOLDER[name] for name in names if name in _DATABASE_OF_FOLDER)
    return next(known, path.resolve().name)


def person_of(record: str) -> str:
    """Return the name under which the person of a record goes.

    The noise stress records (``118e06``) are made from 118 and 119 of MIT-BIH. In
    other databases every record is taken for a person of its own: nobody says otherwise.

    Parameters
    ----------
    record : str
        Its name, with the database before it (``svdb/800``) or, in MIT-BIH, without.

    Examples
    --------
    >>> person_of("202"), person_of("mitdb/201"), person_of("nstdb/118e06"), person_of("100")
    ('201', '201', '118', '100')
    >>> person_of("svdb/800")
    'svdb/800'
    """
    database, _, name = record.rpartition("/")
    if database not in ("", MITDB, "nstdb"):
        return record
    base = name[:3] if name[:3] in ("118", "119") else name
    return SAME_PERSON.get(base, base)


def check_apart(train: Iterable[str], test: Iterable[str]) -> None:
    """Refuse a split that has a person on both sides.

    Parameters
    ----------
    train, test : iterable of str
        Record names of the two sides.

    Raises
    ------
    ValueError
        If a person is on both sides; the records are named.

    Examples
    --------
    >>> check_apart(DS1, DS2_STRICT)
    >>> check_apart(DS1, DS2)
    Traceback (most recent call last):
        ...
    ValueError: no person may be on both sides, but 201 and 202 are one person
    """
    taught = {person_of(name): name for name in train}
    for name in test:
        if (other := taught.get(person_of(name))) is not None:
            both = f"{other} is" if other == name else f"{other} and {name} are one person"
            tail = " on both" if other == name else ""
            raise ValueError(f"no person may be on both sides, but {both}{tail}")
