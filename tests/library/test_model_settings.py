"""Settings that belong to models by their name."""

import pytest
import yaml

from modules.errors import BadRequest
from modules.library.library import Library
from modules.library.presets import PerModelSettings
from modules.paths import PROGRAM_FOLDER, UserData
from tests.library.names import write_old

SHIPPED = PerModelSettings(UserData(PROGRAM_FOLDER / "user_data"))


def rules(data: UserData, own: object = None, shipped: object = None) -> PerModelSettings:
    for path, content in ((data.user_model_config, own), (data.model_config, shipped)):
        if content is not None:
            write_old(path, yaml.safe_dump(content, sort_keys=False))
    return PerModelSettings(data)


@pytest.mark.parametrize(
    ("key", "name", "matches"),
    [
        ("llama", "Llama-3.gguf", True),
        ("llama", "tiny-llama.gguf", False),
        (".*LLAMA.*chat", "tiny-llama-chat.gguf", True),
        ("model.gguf$", "model.gguf", True),
        ("model.gguf$", "model.gguf.bak", False),
        ("model", "owner/model.gguf", True),
        ("owner", "owner/model.gguf", False),
        ("owner/model", "Owner/model.gguf", True),
        ("owner/model.gguf$", "owner/model.gguf", True),
        ("owner/model.gguf$", "other/model.gguf", False),
        (r"\D+\.gguf", "model.gguf", True),
        (r"\D+\.gguf", "m0del.gguf", False),
        # Names that mean something else, or nothing, as expressions.
        ("model (1)+[q4].gguf$", "Model (1)+[Q4].gguf", True),
        ("c++model.gguf$", "c++model.gguf", True),
        ("a(b.gguf$", "a(b.gguf", True),
        ("a(b.gguf", "folder/a(b.gguf", True),
        ("a(b.gguf$", "ab.gguf", False),
    ],
)
def test_keys_and_names(data: UserData, key: str, name: str, matches: bool) -> None:
    assert bool(rules(data, {key: {"ctx_size": 1}}).for_model(name)) is matches


def test_later_rules_and_the_users_own_go_above(data: UserData) -> None:
    shipped = {"a": {"ctx_size": 1, "threads": 1, "parallel": 1}, "a.": {"threads": 2}}
    stored = rules(data, {"ab": {"parallel": 3}, "b": {"parallel": 4}}, shipped)
    assert stored.for_model("ab.gguf") == {"ctx_size": 1, "threads": 2, "parallel": 3}


def test_other_spellings_of_settings(data: UserData) -> None:
    stored = rules(data, {"a": {"n_gpu_layers": 3, "ctx-size": 5, "tensor_split": [1, 2], "wbits": None}})
    assert stored.for_model("a") == {"gpu_layers": 3, "ctx_size": 5, "tensor_split": (1, 2), "wbits": None}


def test_the_users_template_and_the_suggested_one_are_told_apart(data: UserData) -> None:
    stored = rules(data, {"a": {"instruction_template": "Mine"}}, {".": {"instruction_template": "Theirs"}})
    assert stored.suggested_template("a") is None, "its file is not there"
    write_old(data.instruction_templates / "Theirs.jinja", "x")
    assert (stored.own_template("a"), stored.suggested_template("a")) == ("Mine", "Theirs")
    assert (stored.own_template("b"), stored.suggested_template("b")) == (None, "Theirs")
    assert stored.for_model("a")["instruction_template"] == "Mine"


@pytest.mark.parametrize(
    "name", ["Model (1)+[Q4].gguf", "plain.gguf", "owner/Model-7B.Q4_K_M.gguf", "a$^.gguf", "日本: #1.gguf"]
)
def test_what_is_saved_for_a_model_is_for_it_alone(data: UserData, name: str) -> None:
    stored = rules(data)
    stored.save(name, {"ctx_size": 4096, "tensor_split": (3.0, 1.0), "instruction_template": "ChatML"})
    saved = {"ctx_size": 4096, "tensor_split": (3.0, 1.0), "instruction_template": "ChatML"}
    assert stored.for_model(name) == saved
    for other in (
        f"x{name}",
        f"{name}x",
        name.replace("o", "0").replace("a", "4").replace("1", "2").replace("日", "月"),
    ):
        assert stored.for_model(other) == {}


def test_saving_replaces_what_was_saved_and_keeps_the_rest(data: UserData) -> None:
    stored = rules(data, {"a.gguf$": {"threads": 1}, "b": {"threads": 2}, ".*": {"parallel": 1}})
    stored.save("A.gguf", {"parallel": 5})
    assert stored.for_model("a.gguf") == {"parallel": 5}
    assert stored.for_model("b.gguf") == {"threads": 2, "parallel": 1}
    assert list(yaml.safe_load(data.user_model_config.read_text(encoding="utf-8"))) == ["b", ".*", r"a\.gguf$"]


def test_a_chosen_template_leaves_what_else_is_saved(data: UserData) -> None:
    settings = rules(data, {"small.*": {"ctx_size": 2048}})
    settings.save("small(1).gguf", {"ctx_size": 4096})
    settings.choose_template("small(1).gguf", "ChatML")
    assert settings.own_template("small(1).gguf") == "ChatML"
    assert settings.own_template("small.gguf") is None
    settings.choose_template("small(1).gguf", None)
    assert settings.for_model("small(1).gguf") == {"ctx_size": 4096}


def test_a_file_that_cannot_be_read_is_not_overwritten(data: UserData) -> None:
    write_old(data.user_model_config, "a: [\n")
    with pytest.raises(BadRequest):
        PerModelSettings(data).save("a", {"threads": 1})
    assert data.user_model_config.read_text(encoding="utf-8") == "a: [\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a:\n  threads: 1\nb: [\n", "config-user.yaml is not valid YAML (line 4)"),
        ("- a\n", "config-user.yaml must hold"),
        ("a: text\n", "config-user.yaml: what stands under 'a' must be settings"),
    ],
)
def test_a_bad_file_is_named_with_the_place(data: UserData, text: str, place: str) -> None:
    write_old(data.user_model_config, text)
    with pytest.raises(BadRequest) as refusal:
        PerModelSettings(data).for_model("a")
    assert place in refusal.value.message


def test_an_edit_is_seen_at_once(data: UserData) -> None:
    stored = rules(data, {"a": {"threads": 1}})
    assert stored.for_model("a") == {"threads": 1}
    data.user_model_config.write_text("a:\n  threads: 20\n", encoding="utf-8")
    assert stored.for_model("a") == {"threads": 20}


def test_shipped_rules_count_for_models_elsewhere(data: UserData) -> None:
    write_old(data.model_config, "a:\n  instruction_template: ChatML\n")
    write_old(data.instruction_templates / "ChatML.jinja", "x")
    elsewhere = UserData(data.root, model_dir=data.root / "other")
    assert PerModelSettings(elsewhere).suggested_template("a") == "ChatML"


def test_shipped_rules_name_templates_that_are_shipped() -> None:
    templates = Library(UserData(PROGRAM_FOLDER / "user_data")).templates.names()
    content = yaml.safe_load((PROGRAM_FOLDER / "user_data" / "models" / "config.yaml").read_text(encoding="utf-8"))
    assert len(content) >= 30
    assert {rule["instruction_template"] for rule in content.values()} <= set(templates)
    assert all(list(rule) == ["instruction_template"] for rule in content.values())


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("mistral-7b-instruct-v0.2.Q4_K_M.gguf", "Mistral"),
        ("Mixtral-8x7B-Instruct-v0.1.gguf", "Mistral"),
        ("Mistral-Small-24B-Instruct-2501-Q4_K_M.gguf", "Mistral-v7-Tekken"),
        ("Mistral-Large-Instruct-2411.gguf", "Mistral-v7"),
        ("OpenHermes-2.5-Mistral-7B.gguf", "ChatML"),
        ("dolphin-2.6-mistral-7b.gguf", "ChatML"),
        ("zephyr-7b-beta.Q5_K_M.gguf", "Zephyr"),
        ("stablelm-zephyr-3b.gguf", "StableLM"),
        ("tinyllama-1.1b-chat-v1.0.gguf", "Zephyr"),
        ("llama-2-13b-chat.Q4_0.gguf", "Llama-v2"),
        ("CodeLlama-7b-Instruct.gguf", "Llama-v2"),
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "Llama-v3"),
        ("Llama-3.2-1B-Instruct.gguf", "Llama-v3"),
        ("Llama-4-Scout-17B-16E-Instruct.gguf", "Llama-v4"),
        ("Hermes-3-Llama-3.1-8B.gguf", "ChatML"),
        ("dolphin-2.9-llama3-8b.gguf", "ChatML"),
        ("Qwen_Qwen3-0.6B-Q4_K_M.gguf", "ChatML"),
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "ChatML"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "ChatML"),
        ("Yi-34B-Chat.gguf", "ChatML"),
        ("gemma-3-270m-q4_k_m.gguf", "Gemma"),
        ("owner/gemma-2-9b-it.gguf", "Gemma"),
        ("Phi-3-mini-4k-instruct-q4.gguf", "Phi-3"),
        ("phi-4-Q4_K_M.gguf", "Phi-4"),
        ("Phi-4-mini-instruct.gguf", "Phi-3"),
        ("vicuna-13b-v1.5.gguf", "Vicuna-v1.1"),
        ("vicuna-13b-v0.gguf", "Vicuna-v0"),
        ("WizardLM-13B-V1.2.gguf", "Vicuna-v1.1"),
        ("wizardcoder-python-34b.gguf", "Alpaca"),
        ("c4ai-command-r-v01.gguf", "Command-R"),
        ("aya-expanse-8b.gguf", "Command-R"),
        ("DeepSeek-R1-Distill-Qwen-7B.gguf", "DeepSeek"),
        ("DeepSeek-V2-Lite-Chat.gguf", "DeepSeek-V2"),
        ("deepseek-coder-6.7b-instruct.gguf", "DeepSeek-Coder"),
        ("deepseek-coder-v2-lite-instruct.gguf", "DeepSeek-V2"),
        ("openchat-3.5-0106.gguf", "OpenChat"),
        ("Starling-LM-7B-alpha.gguf", "OpenChat"),
        ("solar-10.7b-instruct-v1.0.gguf", "Solar"),
        ("oasst-sft-4-pythia-12b.gguf", "Open Assistant"),
        ("falcon-7b-instruct.gguf", "Falcon"),
        ("Falcon3-7B-Instruct.gguf", "Falcon-v3"),
        ("granite-3.1-8b-instruct.gguf", "Granite"),
        ("EXAONE-3.5-7.8B-Instruct.gguf", "EXAONE"),
        ("tulu-2-dpo-7b.gguf", "Tulu"),
        ("orca_mini_v3_7b.gguf", "Orca Mini"),
        ("pygmalion-2-7b.gguf", "Metharme"),
        ("glm-4-9b-chat.gguf", "ChatGLM"),
        ("my-own-model.gguf", None),
        ("llama-7b.gguf", None),
    ],
)
def test_shipped_rules_know_the_families(name: str, template: str | None) -> None:
    assert SHIPPED.suggested_template(name) == template
