"""The settings of the web page: look, memory between visits, defaults of replies."""

from typing import ClassVar, Literal

from modules.settings.option_values import Words
from modules.settings.options import SettingsGroup, setting


class PageSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Web page"

    dark_theme: bool = setting(
        True, "Dark theme; off is the light theme. If it was never set, each browser follows its system."
    )
    show_controls: bool = setting(
        True, "Show the inspector beside the chat. If it was never set, it is closed until it is opened."
    )
    show_expert: bool = setting(False, "Show controls of the page that only experts look for.")
    name_chats: bool = setting(False, "Let the model name new chats, with a short request after the first reply.")
    preset: str = setting("", "Preset that the page's parameters were loaded from.")
    recommended_sampling: Literal["auto", "on", "off"] = setting(
        "auto",
        "Let the page's sampling parameters follow what is recommended for the model; auto does so unless a sampling "
        "parameter or a preset is set. The API's defaults are not affected.",
    )
    own_sampling: Words = setting(
        (), "Sampling parameters that keep the page's value while the others follow the model."
    )
    max_new_tokens: int = setting(512, "Maximum number of new tokens of a reply on the page.", ge=1, le=2**24)
    auto_max_new_tokens: bool = setting(True, "Let replies on the page use all of the remaining context.")
    max_tokens_second: float = setting(
        0, "Maximum speed of replies on the page, in tokens per second; 0 is no limit.", ge=0
    )
    seed: int = setting(-1, "Seed of replies on the page; -1 is a random one each time.", ge=-1, lt=2**63)
    custom_stopping_strings: str = setting(
        "", 'Texts that end a reply on the page, in quotes and separated by commas: "\\n", "###".'
    )
    custom_token_bans: str = setting("", "IDs of tokens that are banned from replies on the page, separated by commas.")
    negative_prompt: str = setting("", "Prompt that --guidance-scale steers away from.")
    grammar_string: str = setting("", "GBNF grammar that replies on the page must follow.")
    ban_eos_token: bool = setting(
        False, "Keep replies on the page from ending by themselves, by banning the EOS token."
    )
    add_bos_token: bool = setting(True, "Add the BOS token to the notebook's prompts.")
    skip_special_tokens: bool = setting(True, "Leave special tokens out of the page's replies.")
    stream: bool = setting(True, "Stream replies on the page.")
    start_with: str = setting("", "Beginning of every reply on the page.")
    include_past_attachments: bool = setting(True, "Include attachments of earlier messages in the prompt.")
    paste_to_attachment: bool = setting(False, "Paste long text as file.")
    show_two_notebook_columns: bool = setting(False, "Show the notebook's prompt and its continuation side by side.")
    prompt_notebook: str = setting("", "Prompt that the notebook shows.", key="prompt-notebook")
    show_probabilities: bool = setting(
        False, "Keep and show how likely each word of the page's replies was, and what else could have stood there."
    )
    read_aloud: bool = setting(False, "Read the page's replies aloud as they are written.")
    chat_style: str = setting("panel", "Chat style: panel or bubbles.")
