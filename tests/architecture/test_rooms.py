"""How the program is divided: sizes of folders and files, names of classes, endpoints, comments and commits."""

import ast
import io
import re
import statistics
import subprocess
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT, Source, imports_of, program_sources

MAX_MODULES: Final = 15
ENDPOINTS: Final = ("chat", "completions", "responses", "messages", "internal")
ENDPOINT_FILES: Final = frozenset({"schema", "inbound", "outbound", "routes"})
MAX_DOCSTRING: Final = 100
LONG_DOCSTRINGS: Final = 8
# Below it a reader opens one file after the other, above it a file has more than one subject.
MEDIAN_LINES: Final = range(105, 141)
MIN_COMMENTS: Final = 0.0145
MAX_SUBJECT: Final = 72
SUBJECT: Final = re.compile(r"[a-z][\w.,/ -]*: [a-z\d][^ ]* .+[^.]")
# Subjects of older commits are as they are.
RULE_SINCE: Final = "3acce9f"


def modules_by_folder(sources: Iterable[Source]) -> Counter[str]:
    paths = [PurePosixPath(source.path) for source in sources]
    return Counter(path.parent.as_posix() for path in paths if path.name != "__init__.py")


def shared_class_names(sources: Iterable[Source]) -> dict[str, list[str]]:
    """Public names of classes that several files define, with those files."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(source.path)
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def imports_between_endpoints(sources: Iterable[Source]) -> list[str]:
    complaints = []
    for source in sources:
        here = _endpoint_of(source.path.replace("/", "."))
        complaints += [
            f"{source.path}:{line} imports {name}"
            for line, name in imports_of(source)
            if here and (there := _endpoint_of(name)) and there != here
        ]
    return complaints


def _endpoint_of(dotted: str) -> str | None:
    match = re.match(rf"extensions\.openai\.({'|'.join(ENDPOINTS)})\.", f"{dotted}.")
    return match and match.group(1)


def long_first_lines(sources: Iterable[Source]) -> list[str]:
    firsts = {source.path: (ast.get_docstring(source.tree) or "").split("\n")[0] for source in sources}
    return [path for path, first in firsts.items() if len(first) > MAX_DOCSTRING]


def comment_share(sources: Sequence[Source]) -> float:
    """Comments that tell something to a reader, by line; remarks to tools do not count."""
    comments = sum(
        token.type == tokenize.COMMENT and not re.match(r"# (noqa|type:|ruff:|pragma)", token.string)
        for source in sources
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
    )
    return comments / sum(source.text.count("\n") for source in sources)


def wrong_subjects(subjects: Iterable[str]) -> list[str]:
    return [subject for subject in subjects if len(subject) > MAX_SUBJECT or not SUBJECT.fullmatch(subject)]


def test_folders_hold_few_modules() -> None:
    sizes = modules_by_folder(program_sources())
    assert {folder: size for folder, size in sizes.items() if size > MAX_MODULES} == {}


def test_no_two_classes_share_a_name() -> None:
    assert shared_class_names(program_sources()) == {}


def test_a_shared_name_is_found() -> None:
    sources = [Source("modules/a.py", "class A: ..."), Source("modules/b.py", "class A: ...\nclass _B: ...")]
    assert shared_class_names(sources) == {"A": ["modules/a.py", "modules/b.py"]}


def test_endpoints_import_what_they_share_and_not_each_other() -> None:
    assert imports_between_endpoints(program_sources()) == []


@pytest.mark.parametrize(
    ("statement", "is_wrong"),
    [
        ("from extensions.openai.responses.inbound import x", True),
        ("from extensions.openai import responses", True),
        ("import extensions.openai.messages.schema", True),
        ("from extensions.openai.chat.schema import x", False),
        ("from extensions.openai.common.items.inbound import x", False),
        ("from extensions.openai.structured.constraint import x", False),
    ],
)
def test_an_import_of_another_endpoint_is_found(statement: str, is_wrong: bool) -> None:
    assert bool(imports_between_endpoints([Source("extensions/openai/chat/inbound.py", statement)])) is is_wrong


@pytest.mark.parametrize("endpoint", ["chat", "completions", "messages", "responses"])
def test_endpoints_have_the_same_files(endpoint: str) -> None:
    names = {path.stem for path in (ROOT / "extensions" / "openai" / endpoint).glob("*.py")} - {"__init__"}
    assert names >= ENDPOINT_FILES
    assert len(names) <= len(ENDPOINT_FILES) + 2


def test_docstrings_of_modules_begin_with_a_short_line() -> None:
    assert len(long_first_lines(program_sources())) <= LONG_DOCSTRINGS


def test_files_are_of_a_readable_size() -> None:
    assert (
        int(statistics.median(source.text.count("\n") for source in program_sources() if source.text)) in MEDIAN_LINES
    )


def test_reasons_are_at_the_line() -> None:
    assert comment_share(program_sources()) >= MIN_COMMENTS


def test_comments_for_tools_tell_no_reason() -> None:
    text = "a = 1  # noqa: S101 - x\n# A reason.\nb = 'no # comment'\nc = 2  # another\n"
    assert comment_share([Source("modules/x.py", text)]) == 0.5


def test_subjects_of_commits_follow_the_rule() -> None:
    command = ["git", "log", "--no-merges", "--format=%s", f"{RULE_SINCE}..HEAD"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        pytest.skip("the history is not here")
    assert wrong_subjects(run.stdout.splitlines()) == []


@pytest.mark.parametrize(
    ("subject", "is_right"),
    [
        ("models: load in tasks of their own", True),
        ("reply, prompt: merge files that are read together", True),
        ("Loads run in tasks of their own", False),
        ("models: Load in tasks of their own", False),
        ("models: load", False),
        (f"models: load {'x' * 72}", False),
    ],
)
def test_a_wrong_subject_is_found(subject: str, is_right: bool) -> None:
    assert (wrong_subjects([subject]) == []) is is_right


def test_owners_of_state_exist() -> None:
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    table = page.partition("## State and its owners")[2].partition("\n## ")[0]
    owners = {
        name
        for row in re.findall(r"^\|.*\|$", table, re.MULTILINE)
        for name in re.findall(r"`([A-Z]\w+)`", row.split("|")[2])
    }
    classes = {node.name for source in program_sources() for node in source.tree.body if isinstance(node, ast.ClassDef)}
    assert owners
    assert owners - classes == set()
