"""The documents are true: their blocks run, their reference pages name what the code has, their links lead somewhere.

A comment before a block of a page says what is done with it:

    <!-- not run: REASON -->   it is skipped, and the reason printed
    <!-- file: NAME -->        it is written to a file of that name
    <!-- exit: 1 -->           its commands must end with that exit code
    <!-- output -->            it is what the block before it must print, to the letter

A `python` or `bash` block without one runs. The blocks of a page run in their order, in a folder of the page's own, in
one fresh process, the Python ones in one namespace. What stands between `made: NAME` and `end` was made from the code
(`documenting.py`), and must be what the code says now.
"""

import functools
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import documenting
import pytest
from documenting import PAGES, ROOT

import zoo
from zoo import cli, layers, selection
from zoo.datasets.sources import SOURCES
from zoo.errors import ZooError
from zoo.exporting import EXPORTERS
from zoo.language import catalogue, expressions, fields, items, objects, parsing, ranges, reading
from zoo.language.families import FACTS, FAMILIES, KINDS, LIKELIHOODS
from zoo.language.spec import CARD
from zoo.oracles import ORACLES
from zoo.tasks import TASKS

LINKING = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
LANGUAGES = {"python", "bash", "yaml", "text", "json"}

DRIVER = """
import contextlib, io, json, pathlib, subprocess, sys

page, names = sys.argv[1], {"__name__": "__main__"}
for step in json.load(sys.stdin):
    said = f"{page}:{step['line']}"
    print("---", said, flush=True)
    if step["file"]:
        pathlib.Path(step["file"]).write_text(step["text"], encoding="utf-8")
        continue
    if step["language"] == "python":
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\\n" * step["line"] + step["text"], page, "exec"), names)
        output, code = printed.getvalue(), 0
    else:
        command = ["bash", "-euo", "pipefail", "-c", step["text"]]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output, code = ended.stdout, ended.returncode
    print(output, flush=True)
    if code != step["exit"]:
        sys.exit(f"{said}: exit code {code}; expected {step['exit']}")
    plain = [[line.rstrip() for line in text.strip().splitlines()] for text in (output, step["output"] or output)]
    if plain[0] != plain[1]:
        sys.exit(f"{said}: this was printed; expected\\n" + step["output"])
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, in what language, and what the comment before it says, as (word, rest)."""

    page: Path
    line: int
    language: str
    text: str
    word: str
    rest: str

    def __str__(self):
        return f"{named(self.page)}:{self.line}"


def named(page):
    return str(page.relative_to(ROOT))


@functools.cache
def blocks(page):
    """The fenced blocks of a page, in their order."""
    found, word, rest, inside = [], "", "", None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        comment = re.fullmatch(r"<!-- ([a-z ]+?)(?:: (.*))? -->", line)
        if inside is not None and line == "```":
            found.append(Block(page, inside[0], inside[1], "\n".join(inside[2]) + "\n", word, rest))
            inside, word, rest = None, "", ""
        elif inside is not None:
            inside[2].append(line)
        elif line.startswith("```"):
            inside = (number, line[3:], [])
        elif comment and comment[1] not in ("made", "end"):
            word, rest = comment[1], comment[2] or ""
        elif line:
            word, rest = "", ""
    assert inside is None, f"{named(page)}:{inside[0]}: the block does not end"
    return tuple(found)


def steps(page):
    """What is done with the blocks of a page, in their order."""
    result = []
    for block in blocks(page):
        if block.word == "output":
            result[-1]["output"] = block.text
        elif block.word == "file" or (block.language in ("python", "bash") and block.word != "not run"):
            result.append({
                "line": block.line, "language": block.language, "text": block.text, "output": None,
                "file": block.rest if block.word == "file" else "",
                "exit": int(block.rest) if block.word == "exit" else 0,
            })  # fmt: skip
    return result


ALL = [block for page in PAGES for block in blocks(page)]
RUN = [page for page in PAGES if any(not step["file"] for step in steps(page))]
NOT_RUN = [block for block in ALL if block.word == "not run"]


def ran(page, folder):
    """Run a page in a folder, and give the folder; what was printed is said if something in it fails."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "LC_ALL": "C.UTF-8", "COLUMNS": "120"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER, named(page)], input=json.dumps(steps(page)), cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    return folder


@pytest.fixture(scope="module")
def room(request, tmp_path_factory):
    """Runs the pages that were chosen, two at a time, and gives the folder in which one ran."""
    chosen = [item for item in request.session.items if item.name.startswith(test_the_blocks_of_a_page_run.__name__)]
    with ThreadPoolExecutor(2) as pool:
        rooms = {}

        def enter(page):
            if page not in rooms:
                rooms[page] = pool.submit(ran, page, tmp_path_factory.mktemp(page.stem))
            return rooms[page]

        for item in chosen:
            enter(item.callspec.params["page"])
        yield lambda page: enter(page).result()
        pool.shutdown(cancel_futures=True)


def section(page, heading):
    """The text under a heading, up to the next one of its level or above."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert found, f"{named(page)} has no heading `{heading}`"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def words(text):
    """Everything that stands in backticks, whole and split at what no name holds, with and without dots."""
    quoted = re.findall(r"`([^`\n]+)`", text)
    apart = [re.split(rf"[^A-Za-z0-9_\-{dot}]+", one) for one in quoted for dot in (".", "")]
    return {*quoted, *(word for words in apart for word in words if word)}


def missing(text, wanted):
    return sorted(set(wanted) - words(text))


# Blocks


def test_there_are_pages_and_blocks():
    assert len(PAGES) >= 30
    assert len(RUN) >= 20
    assert len(ALL) >= 80


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_says_what_it_is(block):
    assert block.language in LANGUAGES
    assert block.word in ("", "file", "not run", "exit", "output"), f"{block}: the comment before it is not understood"
    assert (block.word in ("file", "not run", "exit")) == bool(block.rest)
    assert block.word != "output" or block.language == "text"


@pytest.mark.parametrize("page", RUN, ids=named)
def test_the_blocks_of_a_page_run(page, room):
    room(page)


@pytest.mark.parametrize("block", NOT_RUN, ids=str)
def test_a_block_that_is_not_run_is_understood(block):
    """It is skipped, so that its reason stands in the summary; but its commands exist and their options too."""
    for line in block.text.replace("\\\n", " ").splitlines() if block.language == "bash" else ():
        called = shlex.split(line.partition(" > ")[0], comments=True)
        if called[:1] == ["zoo"]:
            with cli.zoo.commands[called[1]].make_context(called[1], called[2:]):
                pass
        elif called[:1] == ["make"]:
            assert {one for one in called[1:] if "=" not in one} <= targets(), block
    if block.language == "python":
        compile(block.text, str(block), "exec")
    pytest.skip(f"{block}: {block.rest}")


def targets():
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


# What is made from the code


MADE = [(page, name, text) for page in PAGES for name, text in documenting.parts(page)]


@pytest.mark.parametrize(("page", "name", "text"), MADE, ids=[f"{named(page)}: {name}" for page, name, _ in MADE])
def test_what_is_made_from_the_code_is_fresh(page, name, text):
    assert text == documenting.fresh(name), f"{named(page)}: {name} is stale; `make documents` writes it anew"


def test_everything_that_can_be_made_is_used_and_ends():
    assert set(documenting.MADE) == {name for _, name, _ in MADE}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert text.count("<!-- made: ") == text.count("<!-- end -->") == len(documenting.parts(page)), named(page)


def test_every_function_of_expressions_is_explained():
    assert set(documenting.FUNCTIONS) == set(expressions.FUNCTIONS)


def test_every_mistake_on_the_page_of_errors_is_one():
    for bodies in documenting.MISTAKES.values():
        assert all(documenting.told(body) for body in bodies)


# The reference pages name what the code has


COMMANDS = ROOT / "docs/reference/commands.md"
SPEC = ROOT / "docs/reference/spec.md"
ITEMS = ROOT / "docs/reference/items.md"
EXPRESSIONS = ROOT / "docs/reference/expressions.md"
RANGES = ROOT / "docs/reference/ranges.md"
TASKS_PAGE = ROOT / "docs/reference/tasks.md"
LAYERS_PAGE = ROOT / "docs/reference/layers.md"
PYTHON = ROOT / "docs/reference/python.md"
RUN_DIRECTORY = ROOT / "docs/reference/run-directory.md"


def options(command):
    given = [option for option in command.params if option.param_type_name == "option"]
    return {name: option for option in given for name in option.opts if name.startswith("--")}


@pytest.mark.parametrize("name", cli.zoo.commands)
def test_commands_has_the_options_of_a_command_and_no_others(name):
    text = section(COMMANDS, f"zoo {name}")
    rows = {found[1]: found[0] for found in re.finditer(r"^\| `(--[a-z-]+).*$", text, re.MULTILINE)}
    known = options(cli.zoo.commands[name])

    assert set(rows) == set(known)
    for option, row in rows.items():
        assert not known[option].show_default or f"`{known[option].default}`" in row


def test_commands_has_no_unknown_command_or_option():
    text = COMMANDS.read_text(encoding="utf-8")
    known = {option for command in cli.zoo.commands.values() for option in options(command)}

    assert set(re.findall(r"^## zoo ([a-z]+)$", text, re.MULTILINE)) == set(cli.zoo.commands)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= known | {"--help", "--version"}
    assert not missing(text, ORACLES)


@pytest.mark.parametrize(
    ("page", "heading", "table"),
    [
        (SPEC, "Keys", [*fields.FIELDS, *reading.REQUIRED]),
        (SPEC, "input", [*fields.INPUT, *(kind for row in KINDS.values() for kind in row)]),
        (SPEC, "train", fields.TRAINING),
        (SPEC, "Grammar", fields.LATER),
        (ITEMS, "Items", objects.OURS),
        (ITEMS, "reuse", objects.REUSE),
        (EXPRESSIONS, "Names", [f"${name}" for name in items.BUILT_IN]),
        (TASKS_PAGE, "Families", FAMILIES),
        (TASKS_PAGE, "Tasks", FACTS),
        (TASKS_PAGE, "Likelihoods", LIKELIHOODS),
        (RANGES, "Lambda", catalogue.KERNELS),
        (RANGES, "p", catalogue.DROPOUTS),
        (LAYERS_PAGE, "Own layers", layers.PUBLIC),
        (LAYERS_PAGE, "What is refused", catalogue.REFUSED),
    ],
)
def test_the_reference_has_the_words_of_the_language(page, heading, table):
    assert not missing(section(page, heading), table)


@pytest.mark.parametrize(
    ("page", "heading", "table"),
    [
        (SPEC, "Keys", fields.FIELDS),
        (SPEC, "train", fields.TRAINING),
        (ITEMS, "Groups", objects.GROUP),
        (ITEMS, "Blocks", objects.BLOCK),
        (RANGES, "Ranges", ranges.KEYS),
    ],
)
def test_the_reference_has_no_other_keys(page, heading, table):
    rows = re.findall(r"^\| (`[a-z0-9_`, ]+`) \|", section(page, heading), re.MULTILINE)

    assert {word for row in rows for word in re.findall(r"`([a-z0-9_]+)`", row)} == set(table)


@pytest.mark.parametrize("name", sorted(set(zoo.__all__) - {"__version__"}))
def test_python_has_a_name_and_its_arguments(name):
    text, thing = section(PYTHON, f"zoo.{name}"), getattr(zoo, name)

    if inspect.isfunction(thing):
        taken = inspect.signature(thing).parameters
    else:
        taken = [one for one in vars(thing) if not one.startswith("_")]
    if thing is ZooError:
        taken = ["problems"]
    assert not missing(text, taken)


def test_python_has_no_unknown_name():
    headings = re.findall(r"^## zoo\.(\w+)$", PYTHON.read_text(encoding="utf-8"), re.MULTILINE)

    assert {*headings, "__version__"} == set(zoo.__all__)
    assert not missing(PYTHON.read_text(encoding="utf-8"), ["__version__"])


def test_run_directory_has_every_file_and_key(room):
    """What its own commands write is what it lists."""
    folder = room(RUN_DIRECTORY)
    text = RUN_DIRECTORY.read_text(encoding="utf-8")
    run = folder / "runs" / "mlp-breast_cancer"
    lines = (run / "journal.jsonl").read_text(encoding="utf-8").splitlines()

    assert not missing(section(RUN_DIRECTORY, "Files"), (path.name for path in run.iterdir()))
    for name in ("plan.json", "run.json", "verdict.json"):
        assert not missing(section(RUN_DIRECTORY, name), json.loads((run / name).read_text(encoding="utf-8")))
    for name in ("trials.csv", "epochs.csv"):
        head = (run / name).read_text(encoding="utf-8").splitlines()[0].split(",")
        assert not missing(section(RUN_DIRECTORY, name), head)
    assert not missing(section(RUN_DIRECTORY, "journal.jsonl"), (json.loads(line)["kind"] for line in lines))
    export = run / "exports" / "saved_model"
    assert not missing(section(RUN_DIRECTORY, "An export"), (path.name for path in export.iterdir()))
    assert not missing(text, json.loads((export / "artifact.json").read_text(encoding="utf-8")))
    assert not missing(text, EXPORTERS)


def test_the_objectives_stand_where_they_are_explained():
    page = ROOT / "docs/explanation/why-not-val-loss.md"
    for name, task in TASKS.items():
        found = re.search(rf"^\| {name} \|.*$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert found
        assert not missing(found[0], (f"val_{metric}" for metric in task.metrics))


# The README


README = ROOT / "README.md"


def test_the_readme_shows_a_spec_as_it_is():
    found = next(block for block in blocks(README) if block.language == "yaml")
    shown, _, problems = parsing.parse(found.text.encode(), "README.md")
    real, _, _ = parsing.parse(selection.files()["lenet5"].read_bytes(), "lenet5.yaml")

    assert not problems
    assert shown == {key: value for key, value in real.items() if key not in CARD}


def test_the_readme_lists_the_data():
    assert set(re.findall(r"^\| `([a-z0-9_:]+)` \|", section(README, "Data"), re.MULTILINE)) == set(SOURCES)


def test_the_numbers_of_specs_that_are_told_are_right():
    """How many there are, and that all networks of `keras.applications` are among them."""
    text = README.read_text(encoding="utf-8")
    known = documenting.applications()

    assert {name.lower() for name in known} == {name.lower() for name in documenting.published()}
    assert f"all {len(known)} networks of `keras.applications`" in text
    assert set(re.findall(r"\b(\d+) specs\b", text)) == {str(len(selection.names()))}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_of_a_family_has_its_specs_and_its_tasks(family):
    text = (ROOT / f"docs/families/{family}.md").read_text(encoding="utf-8")

    assert not missing(text, [card.name for card in selection.cards(family=family)])
    assert not missing(text, FAMILIES[family].tasks)


def test_the_readme_names_real_targets():
    assert set(re.findall(r"`make ([a-z-]+)`", README.read_text(encoding="utf-8"))) <= targets()


# Links


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", LINKING, ids=named)
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{named(page)}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), f"{named(page)}: {target}"


def test_every_page_is_reached_from_the_index():
    index = ROOT / "docs/index.md"
    linked = {(index.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)", index.read_text("utf-8"))}

    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {index} <= linked


def test_the_changelog_has_what_is_not_released():
    assert re.search(r"^## Unreleased$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
