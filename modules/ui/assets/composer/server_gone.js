// A banner for as long as the server cannot be reached: one small question every two seconds, while the page is seen.
(() => {
  "use strict";
  const BETWEEN = 2000;
  const WHILE_GONE = 1000;
  let isGone = false;
  const show = () => {
    const banner = document.getElementById("server-gone");
    if (!isGone) return banner?.remove();
    if (banner) return;
    const made = Object.assign(document.createElement("div"), { id: "server-gone", role: "alert" });
    made.textContent = window.text("The server cannot be reached. Trying again … What you write is kept.");
    document.querySelector("#composer")?.prepend(made);
  };
  const look = async () => {
    if (!document.hidden) {
      try {
        await fetch("gradio_api/app_id", { cache: "no-store" });
        isGone = false;
      } catch {
        isGone = true;
      }
      show();
    }
    setTimeout(look, isGone ? WHILE_GONE : BETWEEN);
  };
  setTimeout(look, BETWEEN);
})();
