"""--share where there is no share server: the page is served all the same, behind a password."""

from pathlib import Path

from tests.ui.served import served_page


async def test_without_a_share_server_the_page_is_served_here(tmp_path: Path) -> None:
    async with served_page(tmp_path, share=True) as page:
        assert "--gradio-auth" in page.said[0]
        assert (await page.http.get("/config")).status_code == 401
