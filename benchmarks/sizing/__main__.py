"""How much a hospital, a region and a wearables service need: from measured figures, by simulation.

Bytes are measured here: simulated patients go through the monitor, and the
messages are weighed. Speeds come from ``benchmarks/results`` where a benchmark
left them. Everything else is an assumption with a name, and an option to change
it; prices are nobody's offer.

The simulation draws where the patients fall: a key's hash picks the partition,
partitions are dealt to scorers in ranges. It looks for the fewest scorers of
which the busiest, with some lost, still has time to catch up after an outage.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import write_figures
from benchmarks.sizing.page import markdown, said
from benchmarks.sizing.plan import plan
from benchmarks.sizing.site import ASSUMED, SITES, figures_of
from benchmarks.sizing.weight import weigh
from training.page import put_between

RESULTS = Path(__file__).parents[1] / "results"
PAGE = Path(__file__).parents[2] / "docs" / "guides" / "sizing.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Weigh, place, count, and print a table and JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    for name, (assumed, meaning) in ASSUMED.items():
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=float, help=f"{meaning} ({assumed:g} without it)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="what benchmarks have left")
    parser.add_argument("--page", type=Path, nargs="?", const=PAGE, help="also write the tables")
    parser.add_argument("--json", metavar="FILE", default="-", help="where to; - prints it")
    options = parser.parse_args(arguments)
    given = {name: getattr(options, name) for name in ASSUMED}
    if any(value is not None and not value > 0 for value in given.values()):
        parser.error("every figure must be more than 0")
    figures = figures_of(options.results, given)
    console = Console(stderr=True)
    weights, plans = {}, []
    with console.status("weighing messages") as status:
        for site in SITES:
            status.update(f"{site.name}: weighing messages, placing patients")
            weights[site.name] = weigh(site)
            plans.append(plan(site, weights[site.name], figures))
    table = Table(title="what it takes")
    table.add_column("")
    for one in plans:
        table.add_column(one.site, justify="right")
    for name in list(asdict(plans[0]))[1:]:
        table.add_row(name.replace("_", " "), *(said(name, asdict(one)[name]) for one in plans))
    console.print(table)
    if options.page is not None:
        put_between(options.page, markdown(plans, weights, figures) + "\n", name="sizing")
    report = {
        "sizing": [asdict(one) for one in plans],
        "weights": {name: asdict(weight) for name, weight in weights.items()},
        "figures": {name: asdict(figure) for name, figure in figures.items()},
    }
    write_figures(report, options.json)


if __name__ == "__main__":
    main()
