"""docs/EXTENSIONS.md: its extension works, and its table is what there is."""

import re
from pathlib import Path

from modules.extend.hooks_doc import EXTENSIONS_PAGE, documented_hooks, with_hooks
from modules.hooks import HOOK_NAMES
from tests.extend.loaded import reply, running, settings_of, write_extension

PAGE = EXTENSIONS_PAGE.read_text(encoding="utf-8")


def test_every_hook_is_on_the_page_with_its_signature() -> None:
    assert with_hooks(PAGE) == PAGE, "run: python -m modules.extend.hooks_doc"
    hooks = list(documented_hooks())
    assert [name for name, _, _ in hooks] == list(HOOK_NAMES)
    assert all(re.fullmatch(r"`\(.*turn\) -> .+`", signature) and meaning for _, signature, meaning in hooks)


async def test_the_extension_on_the_page_works(tmp_path: Path) -> None:
    [script] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(script.strip().splitlines()) <= 15
    write_extension(tmp_path, "shout", script)
    (tmp_path / "settings.yaml").write_text('shout-suffix: "?"\n')
    async with running(settings_of(tmp_path, "shout")) as (runtime, _):
        assert (await reply(runtime, "echo: really")).text == "REALLY?"
