"""Grammars are read as they are; those that are shipped can be enforced."""

import pytest

from modules.engine.constraints.compiler import Constraints
from modules.engine.types import Constraint, Generation, Prompt
from modules.errors import BadRequest
from modules.library.library import Library
from modules.paths import PROGRAM_FOLDER, UserData
from tests.engine.byte_vocabulary import END, ByteVocabulary
from tests.engine.guiding import follow
from tests.library.names import CANARY, HOSTILE, write_old

SHIPPED = Library(UserData(PROGRAM_FOLDER / "user_data")).grammars


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_hostile_names_are_refused(library: Library, name: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        library.grammars.read(name)
    assert refusal.value.param == "grammar"
    assert CANARY not in refusal.value.message


def test_a_grammar_is_its_text(library: Library, data: UserData) -> None:
    write_old(data.grammars / "yes.gbnf", 'root ::= "yes"\n')
    assert library.grammars.names() == ["yes"]
    assert library.grammars.read("yes") == library.grammars.read("yes.gbnf") == 'root ::= "yes"\n'
    (data.grammars / "yes.gbnf").write_text('root ::= "no!"\n', encoding="utf-8")
    assert library.grammars.read("yes") == 'root ::= "no!"\n'


def test_an_unknown_grammar_is_told_what_there_is(library: Library, data: UserData) -> None:
    write_old(data.grammars / "yes.gbnf", 'root ::= "yes"\n')
    with pytest.raises(BadRequest, match="There are: yes"):
        library.grammars.read("no")


def test_a_grammar_is_saved_changed_and_deleted(library: Library, data: UserData) -> None:
    library.grammars.save("no", 'root ::= "no"\n')
    library.grammars.save("no.gbnf", 'root ::= "no."\n')
    assert library.grammars.names() == ["no"]
    assert library.grammars.read("no") == 'root ::= "no."\n'
    library.grammars.delete("no")
    assert not list(data.grammars.iterdir())
    with pytest.raises(BadRequest, match="There is no grammar named 'no'"):
        library.grammars.delete("no")


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_nothing_is_written_under_a_hostile_name(library: Library, data: UserData, name: str) -> None:
    with pytest.raises(BadRequest):
        library.grammars.save(name, 'root ::= "no"\n')
    with pytest.raises(BadRequest):
        library.grammars.delete(name)
    assert not list(data.grammars.iterdir())


def accepts(grammar: str, text: str) -> bool:
    constraint = Constraint(kind="gbnf", text=SHIPPED.read(grammar))
    guide = Constraints(ByteVocabulary()).prepare(Generation(prompt=Prompt((1,)), constraint=constraint))
    assert guide is not None
    return follow(guide, text) == len(text.encode()) and guide.is_allowed(END)


RIGHT = {
    "arithmetic": ["1+2=3\n", "x_1 * (y - 2.5) = -4\na=b\n"],
    "simple_arithmetic": ["1 + 2 = 3\n7 * -6 / 2 = -21\n"],
    "list": ["- one\n- zwölf, drei\n"],
    "json": ['{"a": [1, -2.5e3, true, null, {"b": "\\u00e9\\n"}], "c": {}}', "{}"],
    "json_w_trailing_space": ['{"a": "b"}\n \n'],
    "chess": ["1. e4 e5\n2. Nf3 Nc6\n3. O-O exd8=Q+\n10. R1xa3# O-O-O\n"],
    "roleplay": ['*waves* "Hello there!" *sits down*', '"Hi."'],
    "c": [
        "int add(int a, int b) {\n  int c = a + b;\n  if (c > 10) {\n    return 10;\n  } else {\n  }\n  return c;\n}\n",
        'void main() {\n  for (int i = 0; i < 3; i++) {\n    print("x\\n", v[i]);\n  }\n}\n',
    ],
}
WRONG = {
    "arithmetic": ["1+2\n", "hello\n"],
    "simple_arithmetic": ["1 + 2\n", "a + b = c\n"],
    "list": ["one\n", "* one\n"],
    "json": ["[1]", '{"a": 01}', "{'a': 1}", '{"a": 1,}', "{} "],
    "json_w_trailing_space": ["{} x"],
    "chess": ["1. e9 e5\n", "e4\n"],
    "roleplay": ["waves", '*waves "hello"'],
    "c": ["hello", "int f() { return 1 }\n"],
}


def test_every_shipped_grammar_is_tried() -> None:
    assert set(SHIPPED.names()) == set(RIGHT) == set(WRONG)


@pytest.mark.parametrize("name", RIGHT)
def test_shipped_grammars_let_pass_what_they_should(name: str) -> None:
    assert [text for text in RIGHT[name] if not accepts(name, text)] == []
    assert [text for text in WRONG[name] if accepts(name, text)] == []
