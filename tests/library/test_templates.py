"""Instruction templates in all the forms in which they have been stored."""

import pytest
import yaml

from modules.errors import BadRequest
from modules.library.library import Library
from modules.paths import UserData
from tests.library.names import CANARY, HOSTILE, write_old


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_hostile_names_are_refused(library: Library, name: str) -> None:
    for act in (
        lambda: library.templates.read(name),
        lambda: library.templates.save(name, "x"),
        lambda: library.templates.delete(name),
    ):
        with pytest.raises(BadRequest) as refusal:
            act()
        assert refusal.value.param == "instruction_template"
        assert CANARY not in refusal.value.message


def test_the_first_of_the_suffixes_counts(library: Library, data: UserData) -> None:
    folder = data.instruction_templates
    for suffix, text in (
        ("yml", "instruction_template: yml"),
        ("yaml", "instruction_template: yaml"),
        ("jinja2", "jinja2"),
        ("jinja", "jinja"),
    ):
        write_old(folder / f"A.{suffix}", text)
        assert library.templates.read("A") == suffix
    assert library.templates.names() == ["A"]
    assert library.templates.read("A.yml") == "yml"


def test_yaml_holds_the_source_under_its_key(library: Library, data: UserData) -> None:
    write_old(
        data.instruction_templates / "A.yaml", "instruction_template: |-\n  {%- for m in messages %}\n    {{ m }}\n"
    )
    assert library.templates.read("A") == "{%- for m in messages %}\n  {{ m }}"


@pytest.mark.parametrize(
    "text", ["{{ messages[0] }}", "{% for m in messages %}: {{ m }}{% endfor %}", "Hello: {{ x", "plain"]
)
def test_yaml_that_is_none_is_jinja(library: Library, data: UserData, text: str) -> None:
    write_old(data.instruction_templates / "A.yaml", text)
    assert library.templates.read("A") == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("instruction_template: |-\n  x\n y: [\n", "A.yaml is not valid YAML (line 3)"),
        ("other: x\n", "A.yaml holds no template"),
        ("instruction_template: [x]\n", "A.yaml holds no template"),
        ("", "A.yaml holds no template"),
        ("- a\n", "A.yaml must hold"),
        ("turn_template: [x]\n", "A.yaml: `turn_template` must be text"),
    ],
)
def test_a_bad_file_is_named(library: Library, data: UserData, text: str, place: str) -> None:
    write_old(data.instruction_templates / "A.yaml", text)
    with pytest.raises(BadRequest) as refusal:
        library.templates.read("A")
    assert place in refusal.value.message
    assert refusal.value.param == "instruction_template"


def test_old_turn_templates_become_jinja(library: Library, data: UserData) -> None:
    write_old(
        data.instruction_templates / "A.yaml",
        'user: "Human:"\nbot: "Robot:"\nturn_template: "<|user|> <|user-message|>\\n<|bot|> <|bot-message|>\\n"\n'
        'context: "<|system-message|>\\n"\nsystem_message: Be nice.\n',
    )
    source = library.templates.read("A")
    assert "Human: " in source
    assert "message['content']" in source
    assert "<|" not in source


def test_none_means_the_default_which_needs_no_file(library: Library, data: UserData) -> None:
    assert library.templates.read("None") == library.templates.read("Alpaca")
    write_old(data.instruction_templates / "Alpaca.jinja", "mine")
    assert library.templates.read("None") == library.templates.read("Alpaca") == "mine"
    write_old(data.instruction_templates / "None.jinja", "a file of that name")
    assert library.templates.read("None") == "a file of that name"


def test_an_unknown_name_is_told_what_there_is(library: Library, data: UserData) -> None:
    write_old(data.instruction_templates / "ChatML.jinja", "x")
    with pytest.raises(BadRequest, match=r"did you mean ChatML\? There are: ChatML"):
        library.templates.read("ChatLM")


def test_an_edit_is_seen_at_once(library: Library, data: UserData) -> None:
    path = data.instruction_templates / "A.jinja"
    write_old(path, "before")
    assert library.templates.read("A") == library.templates.read_file(path) == "before"
    path.write_text("after!", encoding="utf-8")
    assert library.templates.read("A") == library.templates.read_file(path) == "after!"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("x.jinja", "source"),
        ("x.JINJA2", "source"),
        ("x.txt", "source"),
        ("x.yaml", "instruction_template: source"),
        ("x.YML", "instruction_template: source"),
    ],
)
def test_the_operators_file_may_lie_anywhere(library: Library, data: UserData, file: str, text: str) -> None:
    write_old(data.root / file, text)
    assert library.templates.read_file(data.root / file) == "source"


def test_the_operators_file_is_named_when_it_is_bad(library: Library, data: UserData) -> None:
    write_old(data.root / "x.yaml", "a: 1")
    for name in ("x.yaml", "missing.jinja"):
        with pytest.raises(BadRequest) as refusal:
            library.templates.read_file(data.root / name)
        assert refusal.value.param == "chat_template_file"


def test_saved_read_and_deleted(library: Library, data: UserData) -> None:
    library.templates.save("A", "{{ x }}\n")
    assert (data.instruction_templates / "A.jinja").read_text(encoding="utf-8") == "{{ x }}\n"
    library.templates.save("A", "{{ y }}")
    assert library.templates.read("A") == "{{ y }}"
    library.templates.delete("A")
    assert library.templates.names() == []


def test_saving_over_yaml_stays_yaml(library: Library, data: UserData) -> None:
    path = data.instruction_templates / "A.yml"
    write_old(path, "instruction_template: old")
    library.templates.save("A", "{{ x }}\n  two\n")
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == {"instruction_template": "{{ x }}\n  two\n"}
    assert library.templates.read("A") == "{{ x }}\n  two\n"
    assert library.templates.names() == ["A"]
