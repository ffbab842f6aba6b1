"""Regular expressions and grammars are enforced to the letter, refused with a reason, and remembered."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from llguidance import LLMatcher, LLTokenizer

from modules.engine.constraints import compiler as constraint_module
from modules.engine.constraints.compiler import Constraints
from modules.engine.constraints.failures import Unenforceable
from modules.engine.types import Constraint, Generation
from modules.errors import BadRequest
from tests.engine.byte_vocabulary import END, ByteVocabulary
from tests.engine.guiding import follow, generation, guide_of, json_schema, matches, refusal, waits_for_compilers

CALL = 257


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteVocabulary("[CALL]", "<think>"))


@pytest.mark.parametrize(
    ("kind", "text", "right", "wrong"),
    [
        ("regex", r"(yes|no)", ["yes", "no"], ["y", "nope", "maybe", ""]),
        ("regex", r"a/b\.c", ["a/b.c"], ["a/bxc"]),
        ("regex", r"\d{3}-[A-Z]+", ["123-AB"], ["١٢٣-AB", "12-A"]),
        ("regex", "é🙂|\n", ["é🙂", "\n"], ["e"]),
        ("lark", 'start: WORD " " %json {"type": "integer"}\nWORD: /[a-z]+/', ["abc 12"], ["abc", "abc x"]),
        ("lark", '%llguidance {}\nstart: "a" | "b" // or\n', ["a", "b"], ["c"]),
    ],
)
def test_only_what_matches_passes(
    constraints: Constraints, kind: str, text: str, right: list[str], wrong: list[str]
) -> None:
    constraint = Constraint(kind=kind, text=text)
    assert [each for each in right if not matches(constraints, constraint, each)] == []
    assert [each for each in wrong if matches(constraints, constraint, each)] == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("regex", "["),
        ("regex", "a(?=b)"),
        ("regex", "a" * 200_000),
        ("lark", "start: ("),
        ("lark", "start: x"),
        ("lark", 'start: %json {"type": "array", "uniqueItems": true}'),
        ("lark", "start: %json {"),
        ("lark", "start: A\nA: " + " & ".join(f"/.*a.{{{n}}}b/" for n in range(20))),
        ("lark", "start: r0\n" + "\n".join(f'r{n}: "a" r{n + 1}' for n in range(5000))),
        ("gbnf", 'root ::= "a'),
        ("json_schema", "{"),
        ("json_schema", '"text"'),
        ("frobnicate", "x"),
    ],
)
def test_what_cannot_be_enforced_is_refused(constraints: Constraints, kind: str, text: str) -> None:
    message = refusal(constraints, Constraint(kind=kind, text=text, param="guided_thing"))
    assert message.startswith("'guided_thing' cannot be enforced: ")
    assert len(message) < 400


def test_a_grammar_that_would_take_too_long_is_given_up(constraints: Constraints) -> None:
    patterns = {f"d{number}": {"type": "string", "pattern": f".*a.{{{number}}}b"} for number in range(14)}
    joined = {"allOf": [{"$ref": f"#/$defs/{name}"} for name in patterns], "$defs": patterns}
    assert refusal(constraints, json_schema(joined))


def test_a_compilation_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waited, ended = waits_for_compilers(monkeypatch), threading.Event()
    with pytest.raises(Unenforceable, match="takes too long"):
        constraint_module._Allowance().spend(ended.wait)
    ended.set()
    assert 1 <= sum(waited) < 2


def test_the_end_is_allowed_when_the_grammar_is_satisfied(constraints: Constraints) -> None:
    guide = guide_of(constraints, generation(Constraint(kind="regex", text="a+b?")))
    assert not guide.is_allowed(END)
    assert follow(guide, "a") == 1
    assert guide.is_allowed(END)
    assert not guide.is_complete
    assert follow(guide, "b") == 1
    assert guide.is_complete


def test_control_tokens_are_no_text(constraints: Constraints) -> None:
    anything = Constraint(kind="regex", text="(?s:.*)")
    assert follow(guide_of(constraints, generation(anything)), [97, CALL]) == 1


def test_quoted_markers_are_text_or_token(constraints: Constraints) -> None:
    grammar = Constraint(kind="lark", text='start: "say [CALL]f" | "\\n" TERMINAL\nTERMINAL: "[CALL]x"')
    said = list(b"say ")

    def passes(tokens: list[int]) -> bool:
        guide = guide_of(constraints, generation(grammar, shows=True))
        return follow(guide, tokens) == len(tokens) and guide.is_complete

    assert passes([*said, CALL, *b"f"])
    assert passes(list(b"say [CALL]f"))
    assert passes(list(b"\n[CALL]x"))
    assert not passes([*b"\n", CALL, *b"x"])


def test_a_marker_that_prints_nothing_is_no_answer(constraints: Constraints) -> None:
    grammar = Constraint(kind="lark", text='start: "[CALL]f"')
    assert follow(guide_of(constraints, generation(grammar)), [CALL]) == 0


def test_each_job_has_its_own_place(constraints: Constraints) -> None:
    asked = generation(Constraint(kind="regex", text="abc"))
    first, second = guide_of(constraints, asked), guide_of(constraints, asked)
    assert follow(first, "ab") == 2
    assert follow(second, "abc") == 3
    assert not first.is_complete


def test_without_constraint_and_budget_there_is_no_guide(constraints: Constraints) -> None:
    assert constraints.prepare(generation(None)) is None


def test_the_oldest_are_forgotten_and_come_back() -> None:
    constraints = Constraints(ByteVocabulary())
    for number in range(80):
        assert matches(constraints, Constraint(kind="regex", text=f"{number}"), f"{number}")
    assert matches(constraints, Constraint(kind="regex", text="0"), "0")


def test_many_threads_may_ask_at_once() -> None:
    constraints = Constraints(ByteVocabulary())
    failures: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            constraints.prepare(generation(Constraint(kind="regex", text=f"{number % 3}+")))
        except BadRequest as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert matches(constraints, Constraint(kind="regex", text="2+"), "222")


class Compiler:
    """In the place of llguidance's: compiles what is named when it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.has_begun, self.go_on = threading.Event(), threading.Event()
        self.compiled: list[str] = []
        really = constraint_module._tried

        def tried(tokenizer: LLTokenizer, grammar: str) -> LLMatcher:
            if name in grammar:
                self.compiled.append(grammar)
                self.has_begun.set()
                assert self.go_on.wait(20)
            return really(tokenizer, grammar)

        monkeypatch.setattr(constraint_module, "_tried", tried)


def regex(text: str) -> Generation:
    return generation(Constraint(kind="regex", text=text))


def test_what_is_known_is_there_while_something_else_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    constraints, compiler = Constraints(ByteVocabulary()), Compiler(monkeypatch, "slow")
    constraints.prepare(regex("known"))
    monkeypatch.setattr(constraint_module, "_SECONDS", 1000)
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(constraints.prepare, regex("slow"))
        assert compiler.has_begun.wait(20)
        assert constraints.is_prepared(regex("known"))
        assert not constraints.is_prepared(regex("slow"))
        assert constraints.prepare(regex("known")) is not None
        assert constraints.prepare(regex("new")) is not None
        assert not slow.done()
        compiler.go_on.set()
        assert slow.result() is not None
    assert constraints.is_prepared(regex("slow"))


def test_many_who_want_the_same_have_it_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    constraints, compiler = Constraints(ByteVocabulary()), Compiler(monkeypatch, "slow")
    monkeypatch.setattr(constraint_module, "_SECONDS", 1000)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(constraints.prepare, regex("slow")) for _ in range(8)]
        assert compiler.has_begun.wait(20)
        compiler.go_on.set()
        assert all(each.result() is not None for each in asked)
    # Once in the smallest vocabulary, once in the model's own.
    assert len(compiler.compiled) == 2


def test_a_refusal_is_for_all_who_wait_and_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What took too long once may not the next time."""
    constraints, compiler = Constraints(ByteVocabulary()), Compiler(monkeypatch, "slow")
    monkeypatch.setattr(constraint_module, "_SECONDS", 0.1)
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(constraints.prepare, regex("slow")) for _ in range(2)]:
            with pytest.raises(BadRequest, match="too complex"):
                each.result()
    compiler.go_on.set()
    monkeypatch.setattr(constraint_module, "_SECONDS", 1000)
    assert constraints.prepare(regex("slow")) is not None


def test_both_compiles_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constraint_module, "_SECONDS", 0.2)
    waits: list[float] = []

    class Counting(Future[int]):
        def result(self, timeout: float | None = None) -> int:
            waits.append(timeout or 0)
            raise TimeoutError

    allowance = constraint_module._Allowance()
    monkeypatch.setattr(constraint_module, "Future", Counting)
    for _ in range(2):
        with pytest.raises(Unenforceable):
            allowance.spend(lambda: 1)
    assert sum(waits) == pytest.approx(0.2)
