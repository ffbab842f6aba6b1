// Each chat has an address, `?chat=<id>`. Back and Forward lead from chat to chat, to where each of them was scrolled.
(() => {
  "use strict";
  const { pastChats } = window;
  const QUIET = 400;
  const TRIES = 40;
  const address = () => new URL(location.href);
  const chatIn = (url = address()) => url.searchParams.get("chat") ?? "";
  const asked = chatIn();
  // The chat of the address, for the server, with what the tab has kept of the one before.
  window.openingPlace = () => {
    let place = {};
    try {
      place = JSON.parse(window.keptPlace() || "{}");
    } catch {
      // What was kept was not the page's.
    }
    return JSON.stringify({ ...place, asked, new: Boolean(window.prefilled) && !asked });
  };

  // ---- Where the reader is: which message is at the upper edge, and how far it is cut; or at the end.
  const scroller = () => document.getElementById("scroller");
  const rows = () => [...document.querySelectorAll("#chat .message-row")];
  /** The message at the upper edge, and how far it is cut. @typedef {{ row: number, by: number }} ReadingPlace */
  /** @returns {ReadingPlace | null} */
  const readingPlace = () => {
    const box = scroller();
    if (!box || box.scrollHeight - box.scrollTop - box.clientHeight < 80) return null;
    const top = box.getBoundingClientRect().top;
    const all = rows();
    const row = all.findIndex((each) => each.getBoundingClientRect().bottom > top);
    const found = all[row];
    return found ? { row, by: top - found.getBoundingClientRect().top } : null;
  };
  let isRestoring = false;
  const note = () => {
    if (isRestoring || !scroller()?.offsetParent || pastChats.shown.chat !== chatIn()) return;
    history.replaceState({ ...history.state, reading: readingPlace() }, "");
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const noteSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(note, QUIET);
  };
  /** Heights are guesses until rows come into view, so it takes several steps.
   * @param {ReadingPlace} place @param {number} [tries] @param {number} [still] */
  const goTo = (place, tries = TRIES, still = 0) => {
    const row = rows()[place.row];
    const box = scroller();
    if (!box || !tries || still > 3) {
      isRestoring = false;
      return;
    }
    isRestoring = true;
    const off = row ? place.by - (box.getBoundingClientRect().top - row.getBoundingClientRect().top) : NaN;
    if (row) {
      window.conversation.hold();
      box.scrollTop += off;
    }
    setTimeout(() => goTo(place, tries - 1, Math.abs(off) < 2 ? still + 1 : 0), 50);
  };

  // ---- What is shown, in the address.
  let isFirst = true;
  let isComingBack = false;
  let isAsked = false;
  /** @param {string} chat */
  const put = (chat) => {
    const url = address();
    for (const name of ["chat", "q", "model", "preset"]) url.searchParams.delete(name);
    if (chat) url.searchParams.set("chat", chat);
    return url;
  };
  /** @param {ShownChat} shown */
  const show = (shown) => {
    if (!pastChats.list.revision && isFirst) return;
    const { chat } = shown;
    const before = chatIn();
    const isSame = chat === before;
    const state = { chat, character: pastChats.list.character };
    if (isFirst) {
      const { reading } = history.state ?? {};
      history.replaceState({ ...state, reading: isSame ? reading : null }, "", put(chat));
      if (isSame && reading) goTo(reading);
    } else if (isComingBack) {
      const { reading } = history.state ?? {};
      history.replaceState({ ...history.state, ...state }, "", put(chat));
      if (reading && chat) goTo(reading);
      else window.conversation.follow();
    } else if (!isSame) {
      // A new chat has got its name with its first message, or the one that was shown was renamed or is gone.
      const isGone = !isAsked && (!before || !pastChats.row(before)) && state.character === history.state?.character;
      if (isGone) history.replaceState(state, "", put(chat));
      else history.pushState(state, "", put(chat));
    }
    isFirst = isComingBack = false;
    isAsked = false;
  };
  pastChats.watch(show);
  window.addEventListener("popstate", () => {
    const chat = chatIn();
    if (chat === pastChats.shown.chat && !pastChats.shown.temporary) return;
    isComingBack = true;
    window.sections?.show("chat-tab");
    pastChats.open(chat, { back: true });
  });
  document.addEventListener("click", (event) => {
    if (!event.target?.closest?.("#new-chat, #new-incognito, #past-chats .chat-row")) return;
    note();
    isAsked = true;
  }, true);
  window.addEventListener("pagehide", note);
  const watchScrolling = () => {
    const box = scroller();
    if (!box) return void setTimeout(watchScrolling, 50);
    box.addEventListener("scroll", noteSoon, { passive: true });
  };
  watchScrolling();
})();
