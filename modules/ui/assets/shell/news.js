// What has changed on the server. Browsers open six connections to one server, for all of their tabs together: one of
// those that are seen listens, and tells the others. Nobody listens while no tab is seen.
(() => {
  "use strict";
  const NAME = `news ${location.pathname}`;
  const ME = Math.random().toString(36).slice(2);
  // Locks of browsers need HTTPS: the tab that listens says so again and again, where the others can read it.
  const LEASE = 6000;
  const BETWEEN = 2000;
  const CONFIRM = 100;
  const AGAIN = 1000;
  // The server says something every twenty seconds.
  const SILENCE = 45_000;
  const UNAUTHORIZED = 401;
  /** @type {((news: News) => void)[]} */
  const listeners = [];
  /** @type {News | null} */
  let told = null;
  let isLost = false;
  /** @type {EventSource | null} */
  let source = null;
  /** @type {number | undefined} */
  let silence;
  /** @type {number | undefined} */
  let looking;
  let isRenewing = false;
  const others = new BroadcastChannel(NAME);

  // ---- Whose turn it is.
  const holder = () => {
    const [id = "", until = "0"] = (localStorage.getItem(NAME) ?? "").split(" ");
    const left = Number(until) - Date.now();
    return left > 0 && left <= LEASE ? id : "";
  };
  const tick = () => {
    clearTimeout(looking);
    // Who has to sign in first is told nothing.
    if (!window.gradio_config?.components) return;
    if (document.hidden) return leave();
    looking = setTimeout(tick, BETWEEN);
    const held = holder();
    if (held && held !== ME) return stop();
    localStorage.setItem(NAME, `${ME} ${Date.now() + LEASE}`);
    if (held === ME) return listen();
    // Another tab may have written at the same time: the later of both stays.
    clearTimeout(looking);
    looking = setTimeout(tick, CONFIRM);
  };
  const stop = () => {
    clearTimeout(silence);
    source?.close();
    source = null;
  };
  const leave = () => {
    clearTimeout(looking);
    if (holder() === ME) localStorage.removeItem(NAME);
    stop();
  };

  // ---- The stream.
  const listen = () => {
    if (source) return;
    const opened = (source = new EventSource("news"));
    const lose = () => {
      if (source !== opened) return;
      stop();
      share(told, true);
      void signIn();
      clearTimeout(looking);
      looking = setTimeout(tick, AGAIN);
    };
    const hear = () => {
      clearTimeout(silence);
      silence = setTimeout(lose, SILENCE);
    };
    hear();
    opened.addEventListener("error", lose);
    opened.addEventListener("message", ({ data }) => {
      hear();
      share(JSON.parse(data), false);
    });
  };
  // A server that was started again may want a password first.
  const signIn = async () => {
    const answer = await fetch("gradio_api/app_id", { cache: "no-store" }).catch(() => null);
    if (answer?.status === UNAUTHORIZED) location.reload();
  };
  /** @param {News | null} news @param {boolean} isGone */
  const share = (news, isGone) => {
    others.postMessage({ news, isGone });
    take(news, isGone);
  };
  /** @param {News | null} news @param {boolean} isGone */
  const take = (news, isGone) => {
    const wasLost = isLost;
    [told, isLost] = [news ?? told, isGone];
    if (wasLost !== isLost) document.dispatchEvent(new CustomEvent("server"));
    tell();
  };
  // Who is not looked at asks for nothing.
  const tell = () => {
    if (!told || isLost || document.hidden) return;
    if (told.program !== window.gradio_config.app_id) renew();
    for (const listener of listeners) listener(told);
  };
  others.addEventListener("message", ({ data }) => {
    if ("news" in data) take(data.news, data.isGone);
    else if (source && told) others.postMessage({ news: told, isGone: isLost });
  });

  // ---- The program was started again, and may be another version: the page is loaded anew, unless something would be lost.
  const isKept = () => {
    try {
      return JSON.parse(document.querySelector("#place textarea")?.value || "{}").chat !== null;
    } catch {
      return true;
    }
  };
  const renew = () => {
    if (isRenewing) return;
    isRenewing = true;
    const look = () => {
      if (isKept() && !window.answers.isAwaited && !document.hidden) return location.reload();
      setTimeout(look, AGAIN);
    };
    look();
  };

  window.news = {
    get isLost() { return isLost; },
    watch(listener) {
      listeners.push(listener);
      if (told && !isLost && !document.hidden) listener(told);
    },
    found(isThere) {
      if (isThere === isLost) share(told, !isThere);
    },
  };
  document.addEventListener("visibilitychange", () => {
    tick();
    tell();
    if (!document.hidden) others.postMessage({});
  });
  // The tab that has listened is left, or hidden.
  window.addEventListener("storage", ({ key, newValue }) => { if (key === NAME && !newValue) tick(); });
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", tick);
  const begin = () => {
    others.postMessage({});
    tick();
  };
  if (document.readyState === "complete") begin();
  else window.addEventListener("load", begin);
})();
