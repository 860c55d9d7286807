"""What the pages and the socket of this process share: one view, one writer, one gate."""

from dataclasses import dataclass

from dashboard.access import Gate
from stream.actions import Actions
from stream.view import Follower, Trouble, View


@dataclass(frozen=True, slots=True)
class Live:
    """The parts that ``run_dashboard`` made before the first page was asked for."""

    view: View
    follower: Follower
    actions: Actions
    gate: Gate

    def down(self) -> dict[Trouble, list[str]]:
        """Return everything that is down, each with the patients whom it concerns.

        What is down for everybody names nobody.
        """
        found: dict[Trouble, list[str]] = {trouble: [] for trouble in self.view.troubles()}
        if not found:
            for patient in self.view.patients():
                for trouble in self.view.troubles(patient):
                    found.setdefault(trouble, []).append(patient)
        return found


_installed: list[Live] = []


def install(live: Live) -> None:
    """Make ``live`` what this process shows; tests put their own in."""
    _installed[:] = [live]


def live() -> Live:
    """Return what this process shows.

    Raises
    ------
    RuntimeError
        If the page was not started by ``run_dashboard``.
    """
    if not _installed:
        raise RuntimeError(
            "the dashboard's pages need its live view, got none: start them with "
            "`rhythmwatch dashboard`, not with `streamlit run`"
        )
    return _installed[0]
