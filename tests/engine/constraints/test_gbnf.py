"""GBNF means here what it means in llama.cpp."""

import pytest

from modules.engine.constraints.compiler import Constraints
from modules.engine.types import Constraint
from tests.engine.byte_vocabulary import ByteVocabulary
from tests.engine.guiding import follow, generation, guide_of, matches, refusal

JSON = r"""
# any JSON object
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws

array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
"""


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteVocabulary("<call>"))


def gbnf(text: str) -> Constraint:
    return Constraint(kind="gbnf", text=text, param="grammar_string")


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        ('root ::= "yes" | "no"', ["yes", "no"], ["y", "maybe"]),
        ('root ::= [a-z]* "s"', ["s", "cats", "sss"], ["cat", ""]),
        ('root ::= [a-z]* "abc"', ["abc", "abxabc", "aabc"], ["abcd"]),
        ("root ::= word (\" \" word){1,2}\nword ::= [a-c]+", ["a b", "ab ca c"], ["a", "a b c a"]),
        ('root ::= "\\u00e9" [\\u00e0-\\U000000ff]? "\\x41\\n\\t\\"\\\\"', ['éA\n\t"\\', 'ééA\n\t"\\'], ["e"]),
        ('root ::= [^a-y\\]]{2} "]"?', ["zz", "zé]"], ["az", "]z"]),
        ('root ::= [+-] [a\\-z] [-a] [a-]', ["+--a", "-zaa"], ["+baa"]),
        ('root ::= . "x"', ["\nx", "🙂x"], ["x"]),
        ('root ::= a{2} b{2,} c{0,2} d?\na ::= "a"\nb ::= "b"\nc ::= "c"\nd ::= "d"', ["aabb", "aabbbccd"], ["abb", "aab"]),
        ('root ::= "" | "a" # nothing, or a\r\n', ["", "a"], ["b"]),
        ("root ::= (\"a\" |\n  # either\n  \"b\")+", ["ab"], ["c"]),
        ('root ::= list\nlist ::= list "," item | item\nitem ::= [0-9]', ["1,2,3"], ["1,"]),
        ('root ::= Item-One\nItem-One ::= "x" item_one\nitem_one ::= "y"', ["xy"], ["x"]),
        (JSON, ['{"a": [1, {"b":"é\\n"}], "c":null}', "{}"], ["[]", '{"a"}', '{"a":01}']),
    ],
)  # fmt: skip
def test_only_what_matches_passes(constraints: Constraints, text: str, right: list[str], wrong: list[str]) -> None:
    assert [each for each in right if not matches(constraints, gbnf(text), each)] == []
    assert [each for each in wrong if matches(constraints, gbnf(text), each)] == []


def test_tokens_may_be_named(constraints: Constraints) -> None:
    for name in ("<call>", "<[257]>"):
        assert follow(guide_of(constraints, generation(gbnf(f'root ::= {name} "x"'))), [257, ord("x")]) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no rule 'root'"),
        ('start ::= "a"', "no rule 'root'"),
        ("root ::= word", "'word' that it does not define"),
        ('root ::= "a" root', "No finite text"),
        ('root ::= a\na ::= "x" b\nb ::= a+', "No finite text"),
        ('root ::= "a\n', "Line 1"),
        ('root ::= "a"\n\nword ::= [a-z', "Line 3"),
        ('root ::= "a" )', "Line 1"),
        ('root ::= ("a"', ") is expected"),
        ('root = "a"', "::= is expected"),
        ('root ::= "\\q"', "escape"),
        ('root ::= "\\', "escape"),
        ('root ::= "\\ud800"', "no character"),
        ("root ::= [z-a]", "range"),
        ("root ::= []", "empty class"),
        ('root ::= "a"\nroot ::= "b"', "twice"),
        ('root ::= "a" !<call>', "expected here"),
        ("root ::= " + "(" * 500 + '"a"' + ")" * 500, "nested"),
        ("root ::= " + '("a") ' * 5000, "more than"),
        ('root ::= "' + "a" * 300_000 + '"', "longer than"),
    ],
)
def test_bad_grammars_are_refused_with_the_place(constraints: Constraints, text: str, reason: str) -> None:
    assert reason in refusal(constraints, gbnf(text))
