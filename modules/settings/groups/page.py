"""The settings of the web page: how it looks, what it remembers between visits, how it asks for replies."""

from typing import ClassVar

from modules.settings.options import SettingsGroup, setting


class PageSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Web page"

    dark_theme: bool = setting(True, "Begin with the dark look; the page remembers a change for each browser.")
    show_controls: bool = setting(True, "Show the controls beside the chat.")
    preset: str = setting("", "Preset that the page's parameters came from.")
    max_new_tokens: int = setting(512, "Most tokens of a reply on the page.", ge=1, le=2**24)
    auto_max_new_tokens: bool = setting(True, "Let replies on the page take all the context that is left.")
    max_tokens_second: float = setting(0, "Fastest pace of replies on the page, in tokens a second; 0 sets none.", ge=0)
    seed: int = setting(-1, "Seed of replies on the page; -1 draws a fresh one each time.", ge=-1, lt=2**63)
    custom_stopping_strings: str = setting(
        "", 'Texts that end a reply on the page, in quotes and separated by commas: "\\n", "###".'
    )
    custom_token_bans: str = setting("", "Ids of tokens that replies on the page never hold, separated by commas.")
    negative_prompt: str = setting("", "Prompt that --guidance-scale steers away from.")
    grammar_string: str = setting("", "Grammar in GBNF that replies on the page must follow.")
    ban_eos_token: bool = setting(False, "Forbid replies on the page to end by themselves.")
    add_bos_token: bool = setting(True, "Begin the notebook's prompts with the model's token for a beginning.")
    skip_special_tokens: bool = setting(True, "Leave control tokens out of the page's replies.")
    stream: bool = setting(True, "Show replies on the page as they come.")
    start_with: str = setting("", "Beginning of every reply on the page.")
    include_past_attachments: bool = setting(True, "Show the model the attachments of earlier messages too.")
    paste_to_attachment: bool = setting(False, "Make a file of long text that is pasted into the chat.")
    show_two_notebook_columns: bool = setting(False, "Show the notebook's prompt and its continuation side by side.")
    prompt_notebook: str = setting("", "Prompt that the notebook shows.", key="prompt-notebook")
    chat_style: str = setting("panel", "Look of the conversation: panel or bubbles.")
