"""`import zoo`: what the command does, as functions. Each is a few calls into the rooms below."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import places, racing, runs, selection
from zoo.datasets import dataset
from zoo.datasets.dataset import Dataset
from zoo.errors import ZooError, listed
from zoo.language import unfolding
from zoo.language.objects import is_lambda, is_rate
from zoo.language.spec import Spec
from zoo.meeting import AHEAD, MOST_TRIALS, Plan, alone, meet
from zoo.runs import Run

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo.tuning import Watch

USUAL_TRIALS = 20
"""Trials of a study that names neither their number nor a budget."""

Source = str | Path | Mapping[str, Any] | Spec | Callable[..., Any]
"""A spec's name, file or content; or a Keras model, its file, or a function that makes one: a model can be called."""


def load(source: Source, set: Mapping[str, Any] | None = None) -> Spec:
    """Load a spec from a name of the zoo, the path of a YAML file, or a mapping.

    A Keras model, a `.keras` file or a function `build(l2, dropout)` that makes a model is taken as the spec of what it
    holds. `set` changes it by dotted path: `{"train.epochs": 5, "l2": 1e-4}`. Raises `ZooError` with every problem.
    """
    if callable(source) or (isinstance(source, (str, Path)) and str(source).endswith(".keras")):
        from zoo import adopting

        source = adopting.adopt(source)
    return selection.load(source, set)


def build(
    source: Source,
    l2: float | None = None,
    dropout: float | None = None,
    seed: int | None = None,
    weights: str | Path | None = None,
    **values: Any,
) -> keras.Model:
    """Build the plain `keras.Model` of a spec, its published output activation included, compiled for its task.

    `l2` is lambda (default: the spec's, 0.001 if it has none), `dropout` is p (default: the spec's, 0.5); `values` fill
    other ranges of the spec by name, the rest take their defaults. With a `seed` two builds have equal weights.
    `weights`: `imagenet` (Keras's published ones, which are downloaded), `keras:NAME`, `run:NAME`, or a file that Keras
    saved (.weights.h5, .h5, .keras); a head of other classes begins anew, a stem of other channels is adapted.
    A network of several outputs is not compiled: what each is compared with is yours to say.
    Raises `ZooError` for a spec or a value that does not fit.
    """
    from zoo import building

    stated = {key: value for key, value in (("l2", l2), ("dropout", dropout)) if value is not None}
    given = {key: value.item() if hasattr(value, "item") else value for key, value in stated.items()}
    for key, accepts, expected in (("l2", is_lambda, "0 or above"), ("dropout", is_rate, "at least 0 and below 1")):
        if key in given and not accepts(given[key]):
            raise ZooError(f"{key}={given[key]!r} is not accepted; expected a number, {expected}")
    found = load(source)
    ranges = found.ranges()
    taken = unfolding.reads(found.fill())  # lambda for a network without kernels, p for one without dropout: no matter
    changes = {key: value for key, value in given.items() if key not in ranges and key in taken}
    found = load(found, changes) if changes else found
    filled = {**{key: value for key, value in given.items() if key in ranges}, **values}
    unknown = [name for name in values if name not in ranges]
    if unknown:
        expected = f"one of {listed(ranges)}" if ranges else "none, as it has no ranges"
        also = "; other changes go to zoo.load(..., set={...})" if unknown[0] == "set" else ""
        raise ZooError(f"`{found.name}` has no range `{unknown[0]}`; expected {expected}{also}")
    if weights is not None:
        found = Spec({**found.data, "weights": str(weights)}, found.marks, found.source)
    return building.build(alone(with_weights(found)), filled, seed).network


def with_weights(found: Spec) -> Spec:
    """The spec with `run:NAME` as that run's file, and told whether its weights are published ones.

    Keras computes a little more in some networks where it gives them their published weights; a spec has that under
    `let: {imagenet: false}`, which is set here, or taken from the run that went before.
    """
    from zoo import pretrained

    source, data = pretrained.source_of(found), dict(found.data)
    published = pretrained.is_published(source)
    if source.startswith("run:"):
        try:
            run = runs.read(source.removeprefix("run:"))
        except ZooError as error:
            raise ZooError(*(found.problem(("weights",), one.wrong, one.expected) for one in error.problems)) from error
        if run.best is None:
            wrong = f"{run.folder} has no finished trial"
            raise ZooError(found.problem(("weights",), wrong, "one whose weights can be taken"))
        data["weights"] = str(run.weights_file(run.best.trial))
        published = run.plan.spec.data.get("let", {}).get(pretrained.IMAGENET) is True
    if published and pretrained.IMAGENET in data.get("let", {}):
        data["let"] = {**data["let"], pretrained.IMAGENET: True}
    return Spec(data, found.marks, found.source, found.told)


def data(source: Any, name: str = "data") -> Dataset:
    """Load data: a name such as `digits`, an .npz file, a folder of .npy files, a mapping of arrays, or a pair (x, y).

    Arrays are named `x_train, y_train` and, if there is a test part, `x_test, y_test`. Rows of a folder, and arrays
    that numpy has mapped from a file, stay there: they may be larger than memory. A `tf.data.Dataset`, or a mapping of
    `train` and `test` to one each, is read once, into files. Raises `ZooError`.
    """
    return dataset.load(source, name)


class Study:
    """A finished study: what was tried, what was best, and how well it does on rows it never saw."""

    def __init__(self, run: Run) -> None:
        self.run = run
        best = run.best
        assert best is not None
        self._summary = run.summary(best)

    @property
    def values(self) -> dict[str, Any]:
        """The best values by the names of their ranges: `l2`, `dropout`, ..."""
        return dict(self._summary["values"])

    @property
    def score(self) -> float:
        """The best trial's objective on the validation part, at its best epoch."""
        return float(self._summary["score"])

    @property
    def validation(self) -> dict[str, Any]:
        """Figures on the validation part: {"default": {metric: number}, "tuned": {metric: number}, "naive": ...}.

        `naive` is who knows the training part and looks at no row; None where a task has no such answer.
        """
        return dict(self._summary["validation"])

    @property
    def test(self) -> dict[str, Any]:
        """Figures on the untouched test part, as `validation`."""
        return dict(self._summary["test"])

    @property
    def verdict(self) -> str:
        """Whether tuning helped, in one sentence."""
        return str(self._summary["verdict"])

    @property
    def summary(self) -> dict[str, Any]:
        """All that `run.json` holds."""
        return dict(self._summary)

    @property
    def trials(self) -> list[dict[str, Any]]:
        """A row a trial: number, values, status, score, best epoch."""
        keys = ("trial", "status", "score", "best_epoch")
        return [{**one.values, **{key: getattr(one, key) for key in keys}} for one in self.run.told]

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.run.folder

    def export(self, to: str | Path | None = None) -> Path:
        """Export the best trial as a SavedModel that was verified in a fresh process. Returns its folder."""
        return export(self, to)

    def __repr__(self) -> str:
        return f"<Study {self.run.folder}: {self.verdict}>"


def tune(
    source: Source,
    on: Any,
    *,
    trials: int | None = None,
    epochs: int | None = None,
    oracle: str = "bayesian",
    objective: str | None = None,
    seed: int = 0,
    run: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    threads: int | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    ahead: int = AHEAD,
    repeats: int = 1,
    folds: int = 0,
    confirm: int = 0,
    budget: float | None = None,
    fresh: bool = False,
    accept_environment: bool = False,
    callbacks: Any = (),
    watch: Watch | None = None,
) -> Study:
    """Search a spec's ranges, lambda and p above all, on data; the same call again goes on where it stopped.

    `on` is what `zoo.data` takes. `trials` (default: 20) counts trial 0, the spec's defaults, and trial 1, the same
    with lambda 0. `budget`: seconds that the study may take instead, those before it went on included; the search ends
    with the last trial that fits in. `repeats`: so often is each trial trained, each time under another seed. `folds`:
    on each of so many folds of the rows that are no test (0: on the data's own parts). A trial's score is the mean.
    `confirm`: so often are the default and the best trained again at the end, under fresh seeds, and judged by them.
    `epochs` a trial (default: the spec's). `objective`: a metric of the task without the L2 penalty (default: its
    first). `run` names the folder: a word lies under `runs/`, a path is a path (default: `runs/<spec>-<data>`).
    `threads` a trial (default: 1, or all cores for a single trial; the results depend on it). `workers`: processes that
    run trials side by side (default: as many as there are cores, once what is left is worth their start); the
    results do not depend on it. `cluster`: the address of a Dask scheduler whose workers run them instead. `ahead`:
    the oracle answers for trial k with the results of the trials 0 .. k - `ahead` alone, so that as many may run at
    once; more workers than that wait for one another in a Bayesian search. `callbacks`: Keras callbacks, called at
    epochs as by `model.fit`, of which each training has copies if there are several; then
    trials run in this process, one after the other. `fresh` begins anew. Raises `ZooError`.
    """
    from zoo import building, clusters, oracles, tuning, working
    from zoo.training.engine import check_callbacks

    counts = {
        "trials": trials,
        "epochs": epochs,
        "threads": threads,
        "workers": workers,
        "repeats": repeats,
        "ahead": ahead,
    }
    for name, count in counts.items():
        if count is not None and (type(count) is not int or count < 1):
            raise ZooError(f"{name} is {count!r}; expected a whole number above 0")
    if type(folds) is not int or folds < 0 or folds == 1:
        raise ZooError(f"folds is {folds!r}; expected 2 or more, or 0 for the data's own validation part")
    if type(confirm) is not int or confirm < 0:
        raise ZooError(f"confirm is {confirm!r}; expected a whole number, 0 or above")
    if budget is not None and not (isinstance(budget, (int, float)) and 0 < budget < float("inf")):
        raise ZooError(f"budget is {budget!r}; expected seconds above 0")
    called = check_callbacks(callbacks) if callbacks else []
    if called and workers not in (None, 1):
        raise ZooError(f"callbacks are called in this process, and workers is {workers}; expected 1, or none said")
    if called and cluster is not None:
        raise ZooError(f"callbacks are called in this process, and cluster is {cluster}; expected none")
    _refuse_both(workers, cluster)
    if budget is not None and oracle == "grid" and trials is None:
        raise ZooError("a grid is laid for a number of trials; expected trials beside the budget, or another oracle")
    if trials is None:
        trials = USUAL_TRIALS if budget is None else MOST_TRIALS
    if type(seed) is not int:
        raise ZooError(f"seed is {seed!r}; expected a whole number")
    oracles.check(oracle)
    found = with_weights(load(source, {**(set or {}), **({} if epochs is None else {"train.epochs": epochs})}))
    rows = data(on)
    folder = _folder(found, rows, run)
    if threads is None:
        usual = os.cpu_count() or 1 if trials == 1 else 1
        threads = runs.read_at(folder).plan.threads if runs.exists(folder) and not fresh else usual
    plan = meet(
        found,
        rows.description,
        objective=objective,
        oracle=oracle,
        trials=trials,
        seed=seed,
        threads=threads,
        repeats=repeats,
        folds=folds,
        ahead=ahead,
    )
    _warn_of_others(source, found, plan)
    if any(node.layer == "Function" for node in building.unfolded(plan.spec, {}).walk()) and not called:
        away = f"workers is {workers}" if workers not in (None, 1) else f"cluster is {cluster}" if cluster else ""
        if away:
            wrong = f"the function is called again for each trial, in this process, and {away}"
            raise ZooError(f"{wrong}; expected none said, or a function that makes the same layers for all values")
        workers = 1
    plan = replace(plan, callbacks=tuple(type(one).__name__ for one in called))
    if folds:
        rows.folds(folds)  # what cannot be folded is refused before anything is trained
    oracles.check(oracle, plan.spec.ranges(), trials, plan.spec.fill().train["epochs"])
    if runs.exists(folder) and not fresh:
        held = runs.read_at(folder)
        if held.begun:
            runs.refuse_another(held, plan, accept_environment)
    elif absent := selection.unreachable(found):
        raise ZooError(*absent)
    watch = watch or tuning.Watch()
    with places.early(_wanted(workers, trials, folder, fresh)) as spare:
        watch.starting()
        plan = working.pinned(plan)
        if fresh and runs.exists(folder):  # what cannot be built is refused before the study that is there is removed
            building.build(plan, {}, plan.seed)
        with runs.opened(folder, plan, fresh, accept_environment) as opened:
            workshop = working.Workshop(plan, rows, called)
            place: places.Place
            if cluster is not None:
                place = clusters.Cluster(workshop, cluster)
            else:
                gpus = places.gpus()
                most = min(workers or (1 if called else _workers(plan.threads, gpus)), trials)
                place = _place(workshop, most, workers is None, gpus, spare)
            tuning.tune(opened, workshop, watch, place, confirm=confirm, budget=budget)
            return Study(opened)


def _warn_of_others(source: Source, found: Spec, plan: Plan) -> None:
    """Warn where a model of the caller's own is made for other data: it is searched as these data ask for it."""
    if isinstance(source, (Spec, Mapping)) or (isinstance(source, (str, Path)) and not str(source).endswith(".keras")):
        return
    shapes = [one.shape for one in (found, plan.spec)]
    told = [" x ".join(map(str, one)) for one in shapes]
    other = [f"rows of {told[0]}, not {told[1]}"] if shapes[0] != shapes[1] and None not in shapes[0] else []
    for key in ("classes", "targets", "horizon", "features"):
        mine, met = (one.data.get(key) for one in (found, plan.spec))
        other += [f"{mine} {key}, not {met}"] if None not in (mine, met) and mine != met else []
    if other:
        made = f"`{found.name}` is made for {' and '.join(other)} as {plan.description.name} has"
        warnings.warn(f"{made}: it is searched, and exported, made anew for these", stacklevel=3)


def _refuse_both(workers: int | None, cluster: str | None) -> None:
    if workers is not None and cluster is not None:
        raise ZooError(f"workers is {workers} and cluster is {cluster}; expected one of them: a cluster has its own")


def _wanted(workers: int | None, trials: int, folder: Path, fresh: bool) -> int:
    """So many workers beside this process will be wanted for what is left, as far as somebody said how many."""
    done = len(runs.read_at(folder).told) if runs.exists(folder) and not fresh else 0
    return max(min(workers or 1, trials - done) - 1, 0)


def _workers(threads: int, gpus: list[str]) -> int:
    """So many workers, if nobody says how many: one a GPU, else as many as the cores have room for."""
    return len(gpus) or max(1, (os.cpu_count() or 1) // threads)


def _place(
    shop: places.Shop, most: int, later: bool, gpus: list[str], spare: list[places.Started] | None = None
) -> places.Place:
    """The processes of this machine that run trials."""
    return places.Pool(shop, most, later, gpus, spare) if most > 1 else places.Here(shop)


def race(
    on: Any,
    *,
    pattern: str = "",
    family: str = "",
    max_parameters: int | None = racing.MOST_PARAMETERS,
    epochs: int = 27,
    objective: str | None = None,
    seed: int = 0,
    run: str | Path | None = None,
    threads: int = 1,
    workers: int | None = None,
    cluster: str | None = None,
    fresh: bool = False,
    watch: racing.Watch | None = None,
) -> tuple[list[racing.Raced], Study]:
    """Train every spec that fits the data for the same few epochs, the better ones longer, to find which is for them.

    `pattern`, `family` and `max_parameters` choose specs as `zoo list` does. In the last round, of three specs at most,
    each is trained for `epochs`; each round before it trains three times as many specs for a third of them. Returns the
    specs, the best first, and the winner's study, which can be exported. `workers` and `cluster` say where, as in
    `tune`; the scores do not depend on it. The same call again goes on where it stopped. Raises `ZooError` if no spec
    fits.
    """
    from zoo import clusters, tuning, working

    _refuse_both(workers, cluster)
    for name, count in (("epochs", epochs), ("threads", threads), ("workers", workers)):
        if count is not None and (type(count) is not int or count < 1):
            raise ZooError(f"{name} is {count!r}; expected a whole number above 0")
    rows = data(on)
    entries = racing.entered(rows.description, pattern, family, max_parameters, epochs, objective, seed, threads)
    folder = runs.folder_of(None if run is None else str(run), f"race-{rows.description.name.replace(':', '-')}")
    watch = watch or racing.Watch()
    watch.starting()
    racing.built(entries)
    plans = list(map(working.pinned, entries.plans))
    for reason, names in entries.out.items():
        watch.left_out(names, reason)
    folder.mkdir(parents=True, exist_ok=True)
    with runs.held(folder):
        found = racing.opened(folder, plans, fresh)
        shop = working.Workshops(tuple(plans), rows)
        place: places.Place
        if cluster is not None:
            place = clusters.Cluster(shop, cluster)
        else:
            gpus = places.gpus()
            place = _place(shop, workers or _workers(threads, gpus), False, gpus)
        racing.race(found, place, watch)
        plan, own = racing.winner(found)
        with runs.opened(own, plan) as opened:
            racing.crowned(found, opened)
            tuning.tune(opened, working.Workshop(plan, rows), tuning.Watch())
            return found.table(), Study(opened)


def train(
    source: Source,
    on: Any,
    *,
    epochs: int | None = None,
    objective: str | None = None,
    seed: int = 0,
    run: str | Path | None = None,
    set: Mapping[str, Any] | None = None,
    threads: int | None = None,
    fresh: bool = False,
    accept_environment: bool = False,
    callbacks: Any = (),
    watch: Watch | None = None,
) -> Study:
    """Train a spec at its defaults: a study of one trial, in `runs/<spec>-<data>-train`.

    Arguments as in `tune`. Raises `ZooError`.
    """
    rows, found = data(on), load(source, set)
    where = run if run is not None else _folder(found, rows, None, "-train")
    return tune(
        found, rows, trials=1, epochs=epochs, oracle="random", objective=objective, seed=seed, run=where,
        threads=threads, fresh=fresh, accept_environment=accept_environment, callbacks=callbacks, watch=watch,
    )  # fmt: skip


def _folder(found: Spec, rows: Dataset, run: str | Path | None, suffix: str = "") -> Path:
    """The folder of a study: what `run` names, or one that spec and data name."""
    usual = f"{found.name}-{rows.description.name.replace(':', '-')}{suffix}"
    return runs.folder_of(None if run is None else str(run), usual)


def export(study: Study | str | Path, to: str | Path | None = None) -> Path:
    """Export the best trial of a study, or of a run by its name or path, as a verified SavedModel.

    Without `to` it lies in the run's own `exports/`. Returns its folder. Raises `ZooError`.
    """
    from zoo import exporting

    run = study.run if isinstance(study, Study) else runs.read(str(study))
    return exporting.export(run, None if to is None else Path(to))[0]


def predict(artifact: str | Path, rows: Any, endpoint: str = "serve") -> dict[str, np.ndarray]:
    """Answer for rows by an export's folder, or by a run's last export: {output name: array}.

    `rows` is an array, an .npy or .npz file, a folder of .npy files, or the name of a data set, whose test part is
    meant. For an endpoint of several inputs it is a mapping by their names, `{"count": 8, "seed": 0}`, or an .npz file
    with arrays of these names. Raises `ZooError`.
    """
    from zoo import predicting

    return predicting.predict(export_of(artifact), rows, endpoint)


def export_of(artifact: str | Path) -> Path:
    """The folder of an export: the one given, or that of a run's last export. Raises `ZooError` for a run without."""
    from zoo import predicting

    folder = Path(artifact)
    if not (folder / predicting.ARTIFACT).is_file():
        found = runs.folder_of(str(artifact), str(artifact))
        if runs.exists(found):
            exported = runs.read_at(found).last("exported")
            if exported is None or not Path(exported["to"]).exists():
                raise ZooError(f"{found} has no export; expected one: zoo export {artifact}")
            folder = Path(exported["to"])
    return folder
