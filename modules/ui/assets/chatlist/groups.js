// In which groups the chats of the list stand: pinned ones, folders, then by the day of their last change.
(() => {
  "use strict";
  const DAY = 86_400_000;
  const WEEK = 7;
  /** @param {Date} moment */
  const dayOf = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());

  /** @param {number} changed @param {Date} now @returns {[string, string]} a key, and the words for it */
  const timeOf = (changed, now) => {
    const moment = new Date(changed * 1000);
    // A day may have an hour more or less.
    const days = Math.round((dayOf(now).getTime() - dayOf(moment).getTime()) / DAY);
    if (days <= 0) return ["today", window.text("Today")];
    if (days === 1) return ["yesterday", window.text("Yesterday")];
    if (days <= WEEK) return ["week", window.text("Previous 7 days")];
    const isThisYear = moment.getFullYear() === now.getFullYear();
    const words = moment.toLocaleDateString(document.documentElement.lang || undefined, isThisYear ? { month: "long" } : { month: "long", year: "numeric" });
    return [`${moment.getFullYear()}-${moment.getMonth()}`, words];
  };

  /** @param {ChatRow[]} chats @param {Date} now @returns {ChatSection[]} */
  const byTime = (chats, now) => {
    /** @type {Map<string, ChatSection>} */
    const found = new Map();
    for (const chat of chats) {
      const [key, label] = timeOf(chat.changed, now);
      const section = found.get(key) ?? { key: `time ${key}`, label, kind: "time", depth: 0, chats: [] };
      section.chats.push(chat);
      found.set(key, section);
    }
    return [...found.values()];
  };

  /** @param {ChatRows} list @returns {ChatSection[]} */
  const inFolders = (list) => {
    /** @param {ChatFolder} folder @param {number} depth @returns {ChatSection} */
    const section = (folder, depth) => ({
      key: `folder ${folder.id}`, label: folder.name, kind: "folder", folder: folder.id, depth,
      chats: list.chats.filter((chat) => chat.folder === folder.id && !chat.pinned),
    });
    const isKnown = (/** @type {string} */ id) => list.folders.some((each) => each.id === id);
    return list.folders
      .filter((folder) => !isKnown(folder.parent))
      .flatMap((folder) => [section(folder, 0), ...list.folders.filter((each) => each.parent === folder.id).map((each) => section(each, 1))]);
  };

  // What was looked for stands by time alone, wherever it belongs.
  window.chatSections = (list, words, now) => {
    if (words) return byTime(list.chats, now);
    const pinned = list.chats.filter((chat) => chat.pinned);
    const known = new Set(list.folders.map((folder) => folder.id));
    const rest = list.chats.filter((chat) => !chat.pinned && !known.has(chat.folder ?? ""));
    return [
      ...(pinned.length ? [/** @type {ChatSection} */ ({ key: "pinned", label: window.text("Pinned"), kind: "pinned", depth: 0, chats: pinned })] : []),
      ...inFolders(list),
      ...byTime(rest, now),
    ];
  };
})();
