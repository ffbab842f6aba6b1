(() => {
  "use strict";
  /** @param {number} milliseconds */
  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  /** @param {number | undefined} mine */
  const isAnother = async (mine) => {
    try {
      const answer = await fetch("gradio_api/app_id", { cache: "no-store", signal: AbortSignal.timeout(3000) });
      // Who had to log in has to do so again.
      return answer.status === 401 || (answer.ok && (await answer.json()).app_id !== mine);
    } catch {
      return false;
    }
  };
  // Reloads the page when a server with another id than this page's answers at its address.
  window.awaitRestart = async () => {
    const notice = document.createElement("div");
    notice.className = "restart-notice";
    notice.setAttribute("role", "status");
    notice.textContent = window.text("The program is starting again. This page reloads by itself.");
    document.body.append(notice);
    const mine = window.gradio_config?.app_id;
    do await pause(500);
    while (!(await isAnother(mine)));
    location.reload();
  };
})();
