"""The command: parses, calls `api`, hands rows to `console`, exits. Imports nothing slow before it must."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

from zoo import console
from zoo.errors import BUG, INTERRUPTED, USER_ERROR, ZooError
from zoo.version import VERSION

if TYPE_CHECKING:
    from zoo import racing

THE_MACHINES = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.ENAMETOOLONG}
"""Errors of a disk or of its rights: the user can mend them, we cannot."""


class _Commands(click.Group):
    """The group, its commands listed in the order in which a newcomer needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command that is meant. A word that is none, nor nearly one, is told which there are."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            says = error.format_message()
            if args[0].startswith("-") or "Did you mean" in says:
                raise
            raise click.UsageError(f"{says} Expected one of {', '.join(self.commands)}.", ctx) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, "--version", message="zoo %(version)s")
def zoo() -> None:
    """Pick a model spec, tune lambda (L2) and p (dropout) on your data, export a SavedModel.

    \b
    zoo list                                   the specs there are
    zoo tune lenet5 --data digits --trials 20  search lambda and p
    zoo export lenet5-digits --to served       a SavedModel, verified
    """


TYPED = "typed"
"""Where a context keeps the options that decide which spec is meant, as the user typed them."""


def _changes(context: click.Context, parameter: click.Parameter, given: Sequence[str]) -> dict[str, Any]:
    """`--set KEY=VALUE` as a mapping; the value is read as YAML."""
    from zoo.language.parsing import plain

    changes = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals or not key:
            raise click.BadParameter(
                f"`{one}` is no change; expected KEY=VALUE, such as train.epochs=5", context, parameter
            )
        try:
            changes[key] = plain(value)
        except ValueError as error:
            raise click.BadParameter(f"{one}: {error}", context, parameter) from None
        context.meta.setdefault(TYPED, []).extend(("--set", one))
    return changes


def _seconds(context: click.Context, parameter: click.Parameter, given: str | None) -> float | None:
    """`--budget 1h30m` in seconds; a number alone is of seconds."""
    if given is None:
        return None
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", given.strip())
    if not given.strip() or found is None:
        raise click.BadParameter(f"`{given}` is no time; expected one such as 90s, 10m or 1h30m", context, parameter)
    return sum(float(part or 0) * size for part, size in zip(found.groups(), (3600, 60, 1), strict=True))


def _folder_of_specs(context: click.Context, parameter: click.Parameter, given: str | None) -> None:
    """`--specs DIR`: from here on the folder's specs have names as ours have."""
    if given:
        from zoo import selection

        selection.add(given)
        context.meta.setdefault(TYPED, []).extend(("--specs", given))


def _options(*chosen: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for option in reversed(chosen):
            function = option(function)
        return function

    return decorate


SET = click.option(
    "--set", "changes", multiple=True, callback=_changes, metavar="KEY=VALUE", help="Change the spec: train.epochs=5."
)
SPECS = click.option(
    "--specs", metavar="DIR", envvar="ZOO_SPECS", expose_value=False, callback=_folder_of_specs, is_eager=True,
    help="A folder of your own specs, listed beside ours.  [env: ZOO_SPECS]",
)  # fmt: skip
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
DATA = click.option("--data", required=True, metavar="DATA", help="A data set's name, an .npz file, or a folder.")
STUDY = _options(
    DATA,
    SPECS,
    click.option("--epochs", type=int, metavar="N", help="Epochs a trial.  [default: the spec's]"),
    click.option("--objective", metavar="METRIC", help="What is optimised.  [default: the task's first]"),
    click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same table."),
    click.option("--run", metavar="RUN", help="A name under runs/, or a path.  [default: after spec and data]"),
    SET,
    click.option("--fresh", is_flag=True, help="Begin anew in the run's folder."),
    click.option("--accept-environment", is_flag=True, help="Resume under other versions of Keras or TensorFlow."),
    click.option("--to", metavar="FOLDER", help="Export the best model there as well."),
    AS_JSON,
)


@zoo.command(
    "list",
    epilog="\b\nExamples:\n  zoo list\n  zoo list --family cnn --max-params 5M\n  zoo list '*net*' --task binary",
)
@click.argument("pattern", required=False)
@click.option("--family", metavar="FAMILY", help="cnn, rnn, ae, vae or mlp.")
@click.option("--task", metavar="TASK", help="What the network is for.")
@click.option("--max-params", metavar="N", help="Parameters at most: 500k, 5M.")
@SPECS
@AS_JSON
def list_(pattern: str | None, family: str | None, task: str | None, max_params: str | None, as_json: bool) -> None:
    """List the specs and the data sets there are; PATTERN is a name, or a part of one with `*`."""
    from zoo import selection
    from zoo.datasets.sources import SOURCES

    for sentence in selection.twice():
        console.note(sentence)
    most = None if max_params is None else _amount(max_params)
    cards = selection.cards(pattern or "", family or "", task or "", most)
    chosen = any(one is not None for one in (pattern, family, task, max_params))
    sources = {} if chosen else {name: says for name, (says, _) in SOURCES.items()}
    if as_json:
        console.say_json({"specs": [vars(card) for card in cards], "data": sources})
        return
    rows = [
        [card.name, card.family, card.task, card.input, _short_number(card.parameters), _short_number(card.flops)]
        for card in cards
        if card.family
    ]
    head = ["spec", "family", "task", "input", "parameters", "FLOPs"]
    console.table(head, rows, right=[4, 5], last=["summary", *(card.summary for card in cards if card.family)])
    for card in cards:
        if not card.family:
            console.say(f"{card.name}  {card.summary}")
    if sources:
        console.say()
        console.table(["data", ""], [[name, says] for name, says in sources.items()])


def _amount(text: str) -> int:
    """`5M` as a number. Raises `ZooError`."""
    factor = {"k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}.get(text[-1:].lower(), 1.0)
    try:
        return int(float(text[:-1] if factor > 1 else text) * factor)
    except ValueError:
        raise ZooError(f"--max-params is `{text}`; expected a number such as 500k or 5M") from None


def _short_number(value: float | None) -> str:
    """A count in a few letters: 61.7k, 25.6M, 7.72G."""
    if value is None:
        return "-"
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return str(value)


@zoo.command(
    epilog="\b\nExamples:\n  zoo show lenet5\n  zoo show resnet50 --layers\n  zoo show unet --diagram --to unet.svg"
)
@click.argument("spec")
@SET
@click.option("--yaml", "as_yaml", is_flag=True, help="The spec written out: defaults, blocks and loops unfolded.")
@click.option("--layers", is_flag=True, help="Every layer with shape, parameters and FLOPs; builds the network.")
@click.option("--diagram", is_flag=True, help="The graph as text, or with --to as an SVG picture.")
@click.option("--to", metavar="FILE", help="Write it there.")
@SPECS
@AS_JSON
def show(
    spec: str, changes: dict[str, Any], as_yaml: bool, layers: bool, diagram: bool, to: str | None, as_json: bool
) -> None:
    """Show a spec: what it is, and its layers with lambda and p where they act."""
    from zoo import selection
    from zoo.language import dumping, unfolding, writing

    views = [word for word, given in (("--yaml", as_yaml), ("--layers", layers), ("--diagram", diagram)) if given]
    if len(views) > 1:
        raise ZooError(f"{' and '.join(views)} are {len(views)} ways to show a spec; expected one of them")
    if to is not None and not (as_yaml or diagram):
        raise ZooError(f"--to {to} has nothing to write; expected --yaml or --diagram with it")
    if as_json and (as_yaml or diagram):
        raise ZooError(f"{views[0]} is no JSON; expected --json alone, or with --layers")
    found = selection.load(spec, changes)
    flat, problems = unfolding.unfold(found.fill())
    if flat is None:
        raise ZooError(*problems)
    if as_yaml:
        _written(dumping.dump(writing.written_out(found.fill(), flat, unfolding.names(found.fill()))), to)
        return
    if diagram:
        from zoo import diagrams

        if to and not to.endswith(".svg"):
            raise ZooError(f"{to} is no name of an SVG picture; expected one that ends in .svg")
        _written(diagrams.svg(flat) if to else "\n".join(diagrams.text(flat)) + "\n", to)
        return
    if layers:
        _layers(found, flat, as_json)
        return
    card = selection.card(found)
    if as_json:
        rows = list(_rows(flat))
        console.say_json({**vars(card), "spec": found.written(), "layers": rows})
        return
    console.say(f"{card.name}: {card.summary}" if card.summary else card.name)
    console.say()
    parameters = f"{card.parameters:,}" if card.parameters else "not stated"
    facts = [("family", card.family), ("task", card.task), ("input", card.input), ("parameters", parameters)]
    facts += [("FLOPs", _short_number(card.flops))] if card.flops else []
    told = ("counting", "reference", "year", "regularization", "metric")
    held = found.held()
    facts += [(key, str(held[key])) for key in told if key in held]
    facts += [(name, f"{one.said()}, default {console.number(one.default)}") for name, one in found.ranges().items()]
    facts += [("train", ", ".join(f"{key} {_short(value)}" for key, value in found.fill().train.items()))]
    console.table([], facts)
    console.say()
    shown = ("name", "layer", "arguments", "inputs", "l2", "dropout")
    lines = [[row[key] for key in shown] for row in _rows(flat)]
    console.table(["name", "layer", "arguments", "on", "l2", "p"], lines, right=[4, 5])


def _written(text: str, to: str | None) -> None:
    """Text to the terminal, or to a new file. Raises `ZooError` if there is one."""
    if to is None:
        console.say(text.rstrip("\n"))
        return
    from zoo import files

    path = Path(to)
    if not to or path.exists():
        wrong = f"{to} is there already" if to else "an empty text names no file"
        raise ZooError(f"{wrong}; expected the name of a new file")
    if not path.parent.is_dir():
        raise ZooError(f"{path.parent} is no folder; expected one for {path.name}")
    files.write_atomic(path, text)
    console.say(f"{to} is written")


def _layers(found: Any, flat: Any, as_json: bool) -> None:
    from zoo import measuring

    console.quiet_tensorflow()
    rows = measuring.measure(flat)
    parameters, trainable, flops = measuring.total(rows)
    if as_json:
        told = [
            {**_row(row.node, row.name.removesuffix(row.node.name)), "shape": list(row.shape),
             "parameters": row.parameters, "trainable": row.trainable, "flops": row.flops}
            for row in rows
        ]  # fmt: skip
        console.say_json({"layers": told, "parameters": parameters, "trainable": trainable, "flops": flops})
        return
    table = []
    for row in rows:
        sizes = " x ".join("any" if size is None else str(size) for size in row.shape)
        l2, rate = _lambda_and_p(row.node)
        part = measuring.part(row.node)
        table.append(
            [row.name, row.node.layer, part, sizes, f"{row.parameters:,}", _short_number(row.flops), l2, rate]
        )  # fmt: skip
    head = ["name", "layer", "part", "shape", "parameters", "FLOPs", "l2", "p"]
    console.table(head, table, right=[4, 5, 6, 7])
    console.say()
    console.say(
        f"{parameters:,} parameters, {trainable:,} trainable; {_short_number(flops)} FLOPs a row, two a multiply-add"
    )


def _rows(flat: Any, within: str = "") -> Iterator[dict[str, str]]:
    """A row for each layer; one for a model inside the model, and behind it its own, under its name."""
    for node in flat.nodes:
        yield _row(node, within)
        if node.network is not None and not node.reuses:
            yield from _rows(node.network, f"{within}{node.name}/")


def _lambda_and_p(node: Any) -> tuple[str, str]:
    """Lambda and p of a layer as people read them; lambda does not reach what is frozen."""
    lambdas, rates = ([console.number(one) for one in found] for found in node.acting())
    return ", ".join(lambdas) or console.number(None), ", ".join(rates) or console.number(None)


def _row(node: Any, within: str = "") -> dict[str, str]:
    from zoo.language.network import said

    arguments = ", ".join(f"{key}={_short(value)}" for key, value in node.arguments.items())
    l2, rate = _lambda_and_p(node)
    arguments = ", ".join(filter(None, (arguments, "frozen" * (node.still and not node.operation))))
    return {
        "name": within + node.name, "layer": node.layer,
        "arguments": f"reuses {within}{node.reuses}" if node.reuses else arguments,
        "inputs": ", ".join(within + said(name) for name in node.read()), "part": node.part, "l2": l2, "dropout": rate,
    }  # fmt: skip


def _short(value: Any) -> str:
    from zoo.language.parsing import short

    if said := short(value):
        return said
    if isinstance(value, dict):
        return " ".join(
            f"{key}({', '.join(f'{k}={_short(v)}' for k, v in (inner or {}).items())})" for key, inner in value.items()
        )
    return console.number(value)


@zoo.command(
    epilog="\b\nExamples:\n  zoo check my.yaml\n  zoo check my.yaml --build\n  zoo check my.yaml --data digits"
)
@click.argument("given", nargs=-1, required=True, metavar="SPEC...")
@SET
@click.option("--build", is_flag=True, help="Build the network as well: shapes that do not meet.")
@click.option("--data", metavar="DATA", help="Say whether the spec fits these data as well.")
@SPECS
@AS_JSON
def check(given: tuple[str, ...], changes: dict[str, Any], build: bool, data: str | None, as_json: bool) -> None:
    """Say everything that is wrong with specs, each problem with its line; of a file, all variants are checked."""
    from zoo import selection

    problems: list[Any] = []
    description = None
    if data is not None:
        from zoo.datasets import dataset

        try:
            description = dataset.load(data).description
            if description.doubt:
                console.note(description.doubt)
        except ZooError as error:
            problems += error.problems
    unread = bool(problems)
    for spec in given:
        before = len(problems)
        try:
            found, wrong = selection.all_in(spec, changes)
            wrong = [*wrong, *selection.by_variant({one.name: selection.unreachable(one) for one in found})]
            runs = any(str(one.data.get("weights")).startswith("run:") for one in found)
            if not wrong and (build or description is not None or runs):
                if build:
                    console.quiet_tensorflow()
                from zoo import checking

                of = {one.name: checking.problems(one, description, build, counted=not changes) for one in found}
                wrong = selection.by_variant(of)
            problems += wrong
            if not as_json and not problems[before:] and not unread:
                console.say(f"{spec}: fine" + (f", all {len(found)} of it" if len(found) > 1 else ""))
        except ZooError as error:
            problems += error.problems
    problems = list(dict.fromkeys(problems))
    if as_json:
        console.say_json([_problem(one) for one in problems])
        sys.exit(USER_ERROR if problems else 0)
    if problems:
        raise ZooError(*problems)


@zoo.command(epilog="\b\nExamples:\n  zoo diff resnet50 resnet50v2\n  zoo diff lenet5 my.yaml")
@click.argument("one")
@click.argument("other")
@SPECS
@AS_JSON
def diff(one: str, other: str, as_json: bool) -> None:
    """Say how two specs differ: their keys, and their layers in order."""
    from zoo import selection
    from zoo.language import comparing

    rows = comparing.differences(selection.load(one), selection.load(other))
    if as_json:
        console.say_json([dict(zip(("what", "one", "other"), row, strict=True)) for row in rows])
    elif not rows:
        console.say(f"{one} and {other} are the same network")
    else:
        console.folded(["", one, other], rows)


@zoo.command("copy", epilog="\b\nExamples:\n  zoo copy lenet5 my.yaml\n  zoo copy resnet50 specs/mine.yaml")
@click.argument("spec")
@click.argument("file")
@SPECS
def copy_(spec: str, file: str) -> None:
    """Copy a spec to a file of your own, comments and all; a variant brings its whole file."""
    from zoo import selection
    from zoo.language.parsing import NAME, NAMES

    path = Path(file) if Path(file).suffix or Path(file).is_dir() else Path(f"{file}.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise ZooError(f"{file} is no name of a spec's file; expected one that ends in .yaml")
    if not NAME.fullmatch(path.stem):
        raise ZooError(f"`{path.stem}` is no name of a spec; expected {NAMES}, which begin with a letter or a digit")
    _written(selection.copied(spec, path.stem, path.parent), str(path))


@zoo.command("import", epilog="\b\nExamples:\n  zoo import model.keras\n  zoo import model.keras --to specs/mine.yaml")
@click.argument("file")
@click.option("--name", default="", metavar="NAME", help="What the spec is called.  [default: the model's name]")
@click.option("--to", metavar="FILE", help="Write it there.")
def import_(file: str, name: str, to: str | None) -> None:
    """Write the spec of a Keras model, functional or sequential, repeated groups of layers folded into blocks."""
    from zoo.language import dumping

    if not Path(file).exists():
        raise ZooError(f"{file} is not there; expected a model that Keras saved, such as model.keras")
    if Path(file).suffix != ".keras":
        old = file.endswith((".h5", ".hdf5")) and not file.endswith(".weights.h5")
        way = f': keras.saving.load_model("{file}").save("{Path(file).stem}.keras") makes one' if old else ""
        raise ZooError(f"{file} is no model; expected the path of a file that Keras saved as .keras{way}")
    console.quiet_tensorflow()
    from zoo import adopting, importing
    from zoo.language.parsing import LARGEST

    spec = importing.spec_of(importing.read(Path(file)), name)
    text = dumping.dump(spec)
    if len(text.encode()) > LARGEST:
        wrong = (
            f"the spec of {file} would have {len(text.encode()):,} bytes, most of them the numbers of its operations"
        )
        raise ZooError(f"{wrong}; expected {LARGEST:,} at most, which is what a spec may have")
    _written(text, to)
    if lacks := adopting.logits(Path(file), spec):
        console.note(f"{file}: {lacks}")


@zoo.command(epilog="\b\nExamples:\n  zoo eject lenet5\n  zoo eject resnet50 --to resnet50.py")
@click.argument("spec")
@SET
@click.option("--to", metavar="FILE", help="Write it there.")
@SPECS
def eject(spec: str, changes: dict[str, Any], to: str | None) -> None:
    """Write plain Keras code that builds the same model without us."""
    import shlex

    from zoo import ejecting, selection
    from zoo.language import unfolding

    flat, problems = unfolding.unfold(selection.load(spec, changes).fill())
    if flat is None:
        raise ZooError(*problems)
    typed = click.get_current_context().meta.get(TYPED, [])
    _written(ejecting.eject(flat, shlex.join(["zoo", "eject", spec, *typed])), to)


@zoo.command(epilog="\b\nExamples:\n  zoo schema --to zoo.schema.json")
@click.option("--to", metavar="FILE", help="Write it there.")
def schema(to: str | None) -> None:
    """Print the language as JSON Schema (2020-12), for editors and other tools."""
    from zoo.language import schema as language

    _written(language.text(), to)


def _problem(problem: Any) -> dict[str, Any]:
    place = problem.mark
    where = {"file": place.file, "line": place.line, "column": place.column} if place else {}
    return {**where, **{key: getattr(problem, key) for key in ("path", "wrong", "expected", "hint")}}


@zoo.command(
    epilog="\b\nExamples:\n  zoo train mlp --data breast_cancer\n  zoo train lenet5 --data digits --set l2=0 --epochs 5"
)
@click.argument("spec")
@STUDY
def train(spec: str, data: str, **options: Any) -> None:
    """Train a spec at its defaults, judge it on the untouched test part."""
    _study("train", spec, data, options)


@zoo.command(
    epilog="\b\nExamples:\n  zoo tune lenet5 --data digits --trials 20 --to served\n"
    "  zoo tune my.yaml --data my.npz --oracle random --run ./study"
)
@click.argument("spec")
@click.option("--trials", type=int, metavar="N", help="Trials in all, the defaults among them.  [default: 20]")
@click.option(
    "--budget", callback=_seconds, metavar="TIME", help="As many trials as fit into a time, such as 10m or 1h30m."
)
@click.option("--repeats", type=int, default=1, metavar="N", help="Train each trial so often; its score is the mean.")
@click.option("--folds", type=int, default=0, metavar="K", help="Score each trial by K-fold cross-validation.")
@click.option("--confirm", type=int, default=0, metavar="N", help="Train default and best again under N fresh seeds.")
@click.option(
    "--oracle", default="bayesian", show_default=True, metavar="ORACLE", help="random, grid, bayesian or hyperband."
)
@click.option("--workers", type=int, metavar="N", help="Trials side by side.  [default: the cores, if it is worth it]")
@click.option("--cluster", metavar="ADDRESS", help="Run trials on the workers of a Dask scheduler: tcp://node1:8786.")
@click.option("--ahead", type=int, default=4, show_default=True, metavar="N", help="Trials that may run unknown.")
@STUDY
def tune(spec: str, data: str, **options: Any) -> None:
    """Search lambda and p (every range of the spec) on data; again, it goes on where it stopped."""
    _study("tune", spec, data, options)


def _study(which: str, spec: str, data: str, options: dict[str, Any]) -> None:
    from zoo import api
    from zoo.files import check_target
    from zoo.predicting import ARTIFACT

    if spec.endswith(".keras"):
        console.quiet_tensorflow()  # a model of the user's own is read by Keras
    as_json, to = options.pop("as_json"), options.pop("to")
    if to is not None:
        check_target(Path(to), ARTIFACT)  # before the search rather than after it
    study = getattr(api, which)(spec, data, set=options.pop("changes"), watch=console.Progress(), **options)
    folder = study.export(to) if to is not None else None
    if as_json:
        console.say_json({**study.summary, "run": str(study.folder), **({"export": str(folder)} if folder else {})})
        return
    console.verdict(study.summary)
    console.say(f"run: {study.folder}")
    if folder is not None:
        _exported(folder)
    else:
        console.say(f"next: zoo export {study.folder} --to FOLDER")


@zoo.command(
    epilog="\b\nExamples:\n  zoo race --data digits --max-params 100k\n  zoo race --data my.npz --family rnn --epochs 9"
)
@DATA
@click.argument("pattern", required=False)
@click.option("--family", default="", metavar="FAMILY", help="cnn, rnn, ae, vae or mlp.")
@click.option("--max-params", default="1M", show_default=True, metavar="N", help="Parameters at most: 100k, 5M.")
@SPECS
@click.option("--epochs", type=int, default=27, show_default=True, metavar="N", help="Epochs of the last round.")
@click.option("--objective", metavar="METRIC", help="What decides.  [default: the task's first]")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same table.")
@click.option("--workers", type=int, metavar="N", help="Specs side by side.  [default: the cores]")
@click.option("--cluster", metavar="ADDRESS", help="Train on the workers of a Dask scheduler: tcp://node1:8786.")
@click.option("--run", metavar="RUN", help="A name under runs/, or a path.  [default: race-DATA]")
@click.option("--fresh", is_flag=True, help="Begin anew in the run's folder.")
@AS_JSON
def race(data: str, pattern: str | None, max_params: str, as_json: bool, **options: Any) -> None:
    """Find the spec for your data: all that fit are trained a little, the worse are dropped, the rest train longer."""
    from zoo import api

    most, watch = _amount(max_params), cast("racing.Watch", console.Rounds())
    table, study = api.race(data, pattern=pattern or "", max_parameters=most, watch=watch, **options)
    if as_json:
        console.say_json({"race": [vars(one) for one in table], "winner": study.summary, "run": str(study.folder)})
        return
    console.raced(table, study.run.plan.metric)
    console.say()
    console.say(f"{table[0].spec} on the untouched test part: {console.figures(study.test['tuned'])}")
    console.say(f"run: {study.folder}")
    console.say(f"next: zoo export {study.folder} --to FOLDER, or tune it: zoo tune {table[0].spec} --data {data}")


@zoo.command(epilog="\b\nExamples:\n  zoo export lenet5-digits --to served\n  zoo export ./study")
@click.argument("run")
@click.option("--to", metavar="FOLDER", help="Where.  [default: the run's exports/saved_model]")
@AS_JSON
def export(run: str, to: str | None, as_json: bool) -> None:
    """Export the best model of a run as a SavedModel, verified in a fresh process without Keras."""
    from zoo import runs
    from zoo.files import check_target
    from zoo.predicting import ARTIFACT, artifact_of

    runs.read(run)  # what can be refused is refused before TensorFlow is loaded
    if to is not None:
        check_target(Path(to), ARTIFACT)
    console.quiet_tensorflow()
    from zoo import api

    folder = api.export(run, to)
    if as_json:
        console.say_json({"export": str(folder), **artifact_of(folder)})
    else:
        _exported(folder)


def _exported(folder: Path) -> None:
    from zoo.predicting import artifact_of

    artifact = artifact_of(folder)
    seen = artifact["verified"]
    console.say(f"export: {folder}  ({', '.join(artifact['endpoints'])})")
    console.say(
        f"verified in a fresh process without zoo and Keras: {seen['rows']:,} rows of answers, "
        f"largest difference {seen['largest_difference']:.1g}"
    )


@zoo.command(
    epilog="\b\nExamples:\n  zoo predict served --data new.npz\n  zoo predict lenet5-digits --data digits --json\n"
    "  zoo predict vae-digits --endpoint sample --set count=8 --set seed=0"
)
@click.argument("artifact")
@click.option("--data", metavar="ROWS", help="An .npy or .npz file, a folder, or a data set's test part.")
@click.option("--endpoint", default="serve", show_default=True, help="What the model is to do with the rows.")
@click.option(
    "--set",
    "numbers",
    multiple=True,
    callback=_changes,
    metavar="NAME=VALUE",
    help="What an endpoint takes in place of rows: count=8.",
)
@AS_JSON
def predict(artifact: str, data: str | None, endpoint: str, numbers: dict[str, Any], as_json: bool) -> None:
    """Answer for rows by an export, or by a run that has one."""
    if (data is None) is (not numbers):
        raise click.UsageError("expected --data ROWS, or for an endpoint that takes no rows --set NAME=VALUE for each.")
    console.quiet_tensorflow(keras=False)
    from zoo import api

    answers = api.predict(artifact, numbers or data, endpoint)
    if as_json:
        console.say_json(answers)
        return
    from zoo import predicting

    classes = predicting.classes_of(api.export_of(artifact), answers)
    columns: list[tuple[str, Any]] = []
    for name, answer in answers.items():
        told = classes.get(name, [])
        several = 1 < len(told) <= MOST_NUMBERS
        columns += [(one, answer[:, at]) for at, one in enumerate(told)] if several else []
        columns += [] if several else [(told[0] if len(told) == 1 else name, answer)]
    rows = [[index, *map(_cell, cells)] for index, cells in enumerate(zip(*(one for _, one in columns), strict=True))]
    console.table(["row", *(head for head, _ in columns)], rows, right=[0])


MOST_NUMBERS = 12
"""So many numbers of a row's answer are printed."""


def _cell(value: Any) -> str:
    import numpy as np

    flat = np.ravel(value)
    if flat.size == 1:
        one = flat[0]
        return str(one) if flat.dtype.kind in "USiu" else f"{one:.6g}"
    text = " ".join(f"{one:.4g}" for one in flat[:MOST_NUMBERS])
    return text + (f" ... ({flat.size} numbers; --json prints all)" if flat.size > MOST_NUMBERS else "")


@zoo.command()
@AS_JSON
def runs(as_json: bool) -> None:
    """List the runs under runs/ with their state."""
    from zoo import racing
    from zoo import runs as room

    rows: list[dict[str, Any]] = []
    for run in room.every():
        best = run.best
        rows.append({
            "run": run.name, "spec": run.plan.spec.name, "data": run.plan.description.name,
            "trials": f"{len(run.told)}/{run.plan.trials}", "state": run.state, "objective": run.plan.objective,
            "best": best.score if best else None, "values": dict(best.values) if best else {},
        })  # fmt: skip
    for race in racing.unfinished():
        leader, plan = race.table()[0] if race.raced else None, race.plans[0]
        rows.append({
            "run": race.folder.name, "spec": f"race of {len(race.plans)}", "data": plan.description.name,
            "trials": f"{len(race.raced)}/{race.trainings}", "state": "unfinished", "objective": plan.objective,
            "best": leader.score if leader else None, "values": {},
        })  # fmt: skip
    if as_json:
        console.say_json(rows)
        return
    if not rows:
        console.say("no runs under runs/; `zoo tune lenet5 --data digits` makes one")
        return
    for row in rows:
        row["values"] = " ".join(f"{name}={console.number(value)}" for name, value in row["values"].items())
        row["best"] = console.number(row["best"])
    console.table(list(rows[0]), [list(row.values()) for row in rows], right=[3, 6])


@zoo.command(epilog="\b\nExamples:\n  zoo best lenet5-digits\n  zoo best ./study --to best.yaml")
@click.argument("run")
@click.option("--to", metavar="FILE", help="Write it there.")
def best(run: str, to: str | None) -> None:
    """Print the spec of a run filled with its best values: it builds, trains and is exported like any other."""
    from zoo import runs

    found = runs.read(run)
    if found.best is None:
        raise ZooError(f"{found.folder} has no finished trial; expected one, whose values would stand in the spec")
    _written(found.plan.spec.fill(found.best.values).dump(), to)


@zoo.command(epilog="\b\nExamples:\n  zoo why lenet5-digits\n  zoo why ./study --json")
@click.argument("run")
@AS_JSON
def why(run: str, as_json: bool) -> None:
    """Say what a study shows: values at an edge, overfitting, noise, and which range matters."""
    from zoo import explaining, runs

    found = explaining.why(runs.read(run))
    if as_json:
        console.say_json(found)
        return
    for one in found:
        console.say(one)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command. Exit code 0; 1 for a user's mistake; 3 for a bug of ours, with a log; 130 when interrupted."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's other projects run on
    console.listen()
    try:
        # click gives back the exit code of --help and --version, and ends quietly when a pipe is closed
        sys.exit(zoo.main(args=None if arguments is None else list(arguments), prog_name="zoo", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(USER_ERROR)
    except ZooError as error:
        console.note(str(error))
        sys.exit(USER_ERROR)
    except (KeyboardInterrupt, click.Abort):
        console.note("stopped; the same command goes on where it was")
        _leave(INTERRUPTED)
    except OSError as error:
        if error.errno not in THE_MACHINES:
            _bug(error)
        console.note(f"{error.filename or 'zoo'}: {error.strerror}")
        sys.exit(USER_ERROR)
    except Exception as error:
        if type(error).__name__ != "ResourceExhaustedError":  # TensorFlow's word for a full disk or memory
            _bug(error)
        console.note(f"no memory or no space is left: {str(error).splitlines()[0][:200]}")
        sys.exit(USER_ERROR)


def _bug(error: Exception) -> NoReturn:
    console.note(f"zoo has a bug: {type(error).__name__}: {error}")
    console.note(f"please paste {_log(error)} into an issue")
    sys.exit(BUG)


def _leave(code: int) -> NoReturn:
    """Leave at once: a question to the oracle may still be computed on its thread, and nobody waits for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _log(error: Exception) -> Path:
    """Write what an issue needs: versions first, then the command, then the traceback."""
    import platform
    import tempfile
    import traceback
    from importlib import metadata

    versions = []
    for name in ("zoo", "tensorflow", "keras", "keras-tuner", "numpy"):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} is not installed")
    handle, name = tempfile.mkstemp(prefix="zoo-bug-", suffix=".log")
    lines = [", ".join(versions), f"Python {platform.python_version()}, {platform.platform()}", " ".join(sys.argv), ""]
    with os.fdopen(handle, "w") as file:
        file.write("\n".join(lines) + "".join(traceback.format_exception(error)))
    return Path(name)


if __name__ == "__main__":
    main()
