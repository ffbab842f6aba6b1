// A banner for as long as the server cannot be reached. That the stream of news has ended says so; while something is
// awaited, a server that is silent is asked, too.
(() => {
  "use strict";
  const BETWEEN = 700;
  const PATIENCE = 1800;
  const show = () => {
    const banner = document.getElementById("server-gone");
    if (!window.news.isLost) return banner?.remove();
    if (banner) return;
    const made = Object.assign(document.createElement("div"), { id: "server-gone", role: "alert" });
    made.textContent = window.text("The server cannot be reached. Trying again … What you write is kept.");
    document.querySelector("#composer")?.prepend(made);
  };
  const isThere = async () => {
    try {
      await fetch("gradio_api/app_id", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      return true;
    } catch {
      return false;
    }
  };
  const look = async () => {
    const { isAwaited, heardAt } = window.answers;
    const isSilent = isAwaited && performance.now() - heardAt > BETWEEN;
    if (!document.hidden && (isSilent || window.news.isLost)) window.news.found(await isThere());
    setTimeout(look, BETWEEN);
  };
  document.addEventListener("server", show);
  setTimeout(look, BETWEEN);
})();
