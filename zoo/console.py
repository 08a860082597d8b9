"""What people see in a terminal: tables, progress, plain lines, JSON. The only room that prints."""

from __future__ import annotations

import importlib
import io
import itertools
import json
import os
import shutil
import signal
import statistics
import sys
import textwrap
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.errors import listed
from zoo.files import finite

if TYPE_CHECKING:
    from zoo.racing import Raced
    from zoo.runs import Run, Told
    from zoo.training.engine import Epoch
    from zoo.tuning import Cost


def say(text: str = "") -> None:
    """Print a line of answer."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a line that is no answer: to stderr, so that answers can be piped."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    say(json.dumps(finite(value), indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


ROOM = 24
"""So many letters of a last column must find room in a terminal, or it is left out."""


def table(
    head: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[int] = (), last: Sequence[str] = ()
) -> None:
    """Print rows under a head, if any; columns as wide as they need, those in `right` set right.

    `last` is a column more, with its head, as far as a terminal has room for it; whole in a pipe.
    """
    lines = [[str(cell) for cell in row] for row in ([head] if head else []) + list(rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    room = max(map(len, last), default=0)
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths)
        last = last if room >= ROOM else ()
    for line, more in itertools.zip_longest(lines, last, fillvalue=""):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        say("  ".join([*cells, textwrap.shorten(more, room, placeholder=" …") if more else ""]).rstrip())


def folded(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a head; a cell too wide for the terminal, or for 120 letters in a pipe, goes on below."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for one in head:
        drawn.add_column(Text(one), overflow="fold")  # as text: brackets in it are no markup
    for row in rows:
        drawn.add_row(*map(Text, row))
    text = io.StringIO()
    Console(file=text, width=shutil.get_terminal_size((120, 24)).columns).print(drawn)
    for line in text.getvalue().splitlines():
        say(line.rstrip())


def number(value: Any) -> str:
    """A value in as few digits as tell it apart."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.6g}"
    return str(value).lower() if isinstance(value, bool) else str(value)  # as a spec has it


def quiet_tensorflow(keras: bool = True) -> None:
    """Import TensorFlow, and Keras where it is needed, without the lines that they write to the terminal.

    They are written from C++, before it can be told not to.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import tensorflow as tf

            if keras:
                importlib.import_module("keras")

            tf.config.list_physical_devices()
            tf.get_logger().setLevel("ERROR")  # that functions are traced again is no news to a user
        finally:
            os.dup2(kept, 2)
            os.close(kept)


_interrupted = False


def listen() -> None:
    """Have Ctrl-C interrupt what runs, and be noted: one that a library's destructor swallows is raised again."""

    def interrupt(number: int, frame: Any) -> None:
        global _interrupted
        _interrupted = True
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, interrupt)


def _go_on() -> None:
    """Raise `KeyboardInterrupt` if there was a Ctrl-C that came to nothing."""
    if _interrupted:
        raise KeyboardInterrupt


class Progress:
    """A study as it goes on: a line a trial, and in a terminal the epochs of the running one (a `tuning.Watch`)."""

    def __init__(self, stream: Any = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.trials = self.width = 0
        self.confirmed, self.counted = False, True
        self.since = time.monotonic()

    def starting(self) -> None:
        """Load TensorFlow quietly, now that all that can be refused without it was not."""
        quiet_tensorflow()

    def began(self, run: Run) -> None:
        """Say what is searched, and how much of it is done already."""
        from zoo.meeting import MOST_TRIALS

        plan, done = run.plan, len(run.told)
        self.counted = plan.trials < MOST_TRIALS
        self.trials = plan.trials
        ranges, epochs = plan.spec.ranges(), plan.spec.fill().train["epochs"]
        what = "; ".join(f"{name} in {one.said()}" for name, one in ranges.items()) or "no range: the defaults alone"
        self._line(f"{plan.spec.name} on {plan.description.name}: {plan.description.said_as(plan.spec.kind)}")
        if plan.description.doubt:
            self._line(plan.description.doubt)
        trials = f"{plan.trials} trials" if self.counted else "as many trials as the time allows"
        several = [f"{plan.repeats} times"] if plan.repeats > 1 else []
        several += [f"on {plan.folds} folds"] if plan.folds else []
        each = f", each {' '.join(several)}" if several else ""
        long = f"{epochs} epoch{'s' * (epochs != 1)}"
        self._line(
            f"{trials} of {long}{each}, {plan.oracle}, {plan.objective} ({plan.direction})"
            if plan.trials > 1
            else f"one training of {long}, {plan.objective} ({plan.direction})"
        )
        if plan.trials > 1:
            self._line(what)
        if done:
            self._line(f"going on after {done} finished trials of {run.folder}")
        self.since = time.monotonic()

    def expects(self, cost: Cost) -> None:
        """Say how long it will take and what it needs, where it is long enough to matter."""
        if self.trials > 1 and cost.seconds >= 10:
            end = time.strftime("%H:%M", time.localtime(time.time() + cost.seconds))
            beside = f" on {cost.workers} workers" if cost.workers > 1 else ""
            needs = f"; {cost.memory / 2**30:.1f} GB of memory, {cost.disk / 2**20:.1f} MB of disk"
            self._line(
                f"about {number(cost.seconds_a_trial)} s a trial: {_span(cost.seconds)}{beside}, until {end}"
                + (needs if cost.memory else "")
            )

    def epoch(self, trial: int, epoch: Epoch, epochs: int) -> None:
        """In a terminal, show where the running trial is."""
        _go_on()
        if self.live:
            self._over(f"trial {trial} {self._counted(trial)}  epoch {epoch.number}/{epochs}  {epoch.score:.4g}")

    def told(self, run: Run, told: Told) -> None:
        """A line for the trial that ended."""
        _go_on()
        values = "  ".join(f"{name} {number(value)}" for name, value in told.values.items())
        seconds = time.monotonic() - self.since
        self.since = time.monotonic()
        best = run.best
        if told.score is None:
            result = f"diverged: {told.reason}"
        else:
            result = f"{run.plan.objective} {number(told.score)} (epoch {told.best_epoch})"
            result += f"  best {number(best.score)}" if best and best.score is not None else ""
        counted = self._counted(told.trial).ljust(3 + 2 * len(str(self.trials)))
        width = len(str(self.trials - 1)) if self.counted else 3
        self._line(f"trial {told.trial:>{width}} {counted}  {values}  {result}  {seconds:.1f} s")

    def confirming(self, run: Run, number: int, of: int, epoch: Epoch) -> None:
        """Say once that default and best are trained again; in a terminal, show where."""
        _go_on()
        if not self.confirmed:
            self.confirmed = True
            self._line(f"default and best are trained again, {of} trainings under fresh seeds")
        if self.live:
            self._over(f"training {number + 1}/{of}  epoch {epoch.number}  {epoch.score:.4g}")

    def judging(self, run: Run) -> None:
        """Say that the search is over, and if it ended before its trials did."""
        _go_on()
        if len(run.told) < self.trials and self.trials == run.plan.trials:
            self._line(f"all that {run.plan.oracle} search can ask was tried, in {len(run.told)} trials")
        if self.live:
            self._over("judging the default and the best trial ...")

    def _counted(self, trial: int) -> str:
        """How many trials of how many; nothing where a budget says how many."""
        return f"({trial + 1}/{self.trials})" if self.counted else ""

    def _over(self, text: str) -> None:
        self.stream.write("\r" + text.ljust(self.width))
        self.stream.flush()
        self.width = len(text)

    def _line(self, text: str) -> None:
        if self.live and self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.width = 0
        self.stream.write(text + "\n")
        self.stream.flush()


class Rounds:
    """A race as it goes on: a line a round and a line a spec, and in a terminal the epochs (a `racing.Watch`)."""

    def __init__(self, stream: Any = None) -> None:
        self.lines = Progress(stream)
        self.left = 0

    def starting(self) -> None:
        """Load TensorFlow quietly."""
        quiet_tensorflow()

    def round(self, number: int, specs: Sequence[str], epochs: int) -> None:
        """Say how many run for how long."""
        self.left = len(specs)
        several, each = "s" * (len(specs) != 1), "s" * (epochs != 1)
        self.lines._line(f"round {number + 1}: {len(specs)} spec{several}, {epochs} epoch{each} each")

    def left_out(self, specs: Sequence[str], reason: str) -> None:
        """Say who takes no part, and why."""
        self.lines._line(f"left out: {listed(specs, 4)}: {reason}")

    def epoch(self, spec: str, epoch: Epoch, epochs: int) -> None:
        """In a terminal, show where a spec is."""
        _go_on()
        if self.lines.live:
            self.lines._over(f"{spec}  epoch {epoch.number}/{epochs}  {epoch.score:.4g}")

    def ended(self, raced: Raced) -> None:
        """A line for the spec that ended."""
        self.left -= 1
        result = number(raced.score) if raced.score is not None else f"left out: {raced.reason}"
        self.lines._line(f"  {raced.spec:<24} {result}  ({number(raced.seconds)} s, {self.left} to go)")


def raced(race: Sequence[Raced], metric: str) -> None:
    """The table of a race: every spec, the best first."""
    rows = []
    for one in race:
        between = "-" if one.low is None else f"{number(one.low)} to {number(one.high)}"
        size = "-" if one.parameters is None else f"{one.parameters:,}"
        score = number(one.score) if one.score is not None else "-"
        rows.append([one.spec, score, between, one.epochs, size, number(one.seconds), number(one.milliseconds)])
    say()
    head = ["spec", f"validation {metric}", "95 % interval", "epochs", "parameters", "s a trial", "ms a prediction"]
    table(head, rows, right=range(1, len(head)))


def figures(found: Mapping[str, float]) -> str:
    """Figures in one line."""
    return ", ".join(f"{name} {number(value)}" for name, value in found.items())


def _span(seconds: float) -> str:
    """A time in the two units that people read."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(round(whole / 60), 60)
    return f"{minutes} h {rest} min" if minutes else f"{rest} min"


def verdict(summary: Mapping[str, Any]) -> None:
    """The table of a finished study: default against tuned, on validation and on the untouched test part."""
    metric = str(summary["objective"]).removeprefix("val_")
    rows = []
    searched = summary["trials"] > 1
    again: Mapping[str, Sequence[float]] = summary["confirmed"] or {}
    seeds, several = len(next(iter(again.values()), ())), int(summary["trainings"])
    scores = {"default": summary["default_score"], "tuned": summary["score"]}
    for who, values in (("naive", {}), ("default", summary["defaults"]), ("tuned", summary["values"])):
        figures = [(summary[part] or {}).get(who) or {} for part in ("validation", "test")]
        if (who == "default" and not searched) or (who == "naive" and not any(figures)):
            continue
        rows.append(
            [
                "trained" if who == "tuned" and not searched else who,
                *(number(values.get(name)) for name in summary["values"]),
                *([number(scores.get(who))] if several > 1 else []),
                *(number(one.get(metric)) for one in figures),
                *([number(statistics.fmean(again[who])) if who in again else "-"] if seeds else []),
            ]
        )
    head = ["", *summary["values"], *([f"mean of {several}"] if several > 1 else [])]
    head += [f"validation {metric}", f"test {metric}"]
    head += [f"test, mean of {seeds} fresh" if seeds > 1 else "test, 1 fresh"] if seeds else []
    say()
    table(head, rows, right=range(1, len(head)))
    if searched:
        say(str(summary["verdict"]))
    if summary["warning"]:
        say(str(summary["warning"]))
