// How well a text fits what is typed: its letters in order, best at the beginnings of words and one after the other.
(() => {
  "use strict";
  const GAP = 0.5;
  const START = 8;
  const NEXT = 5;
  const EXACT = 20;

  /** Without case and accents, letter for letter as far as that goes.
   * @param {string} text */
  const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  /** @param {string} text @param {number} at */
  const isStart = (text, at) => at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]);

  /** The score of one word; 0 where it does not fit. A word that stands there as it is beats letters that are spread.
   * @param {string} text @param {string} word */
  const wordScore = (text, word) => {
    const whole = text.indexOf(word);
    if (whole >= 0) {
      let begun = false;
      for (let at = whole; at >= 0 && !begun; at = text.indexOf(word, at + 1)) begun = isStart(text, at);
      return EXACT + word.length * NEXT + (begun ? START * 2 : 0) - Math.min(whole * GAP, START);
    }
    let score = 0;
    let last = -1;
    for (const letter of word) {
      const next = text.indexOf(letter, last + 1);
      if (next < 0) return 0;
      score += next === last + 1 && last >= 0 ? NEXT : isStart(text, next) ? START : 1 - Math.min((next - last) * GAP, 1);
      last = next;
    }
    // Letters that are strewn over a long text are no hit.
    return score >= word.length * 2 ? score : 0;
  };

  /** The sum over the words of what is typed, all of which have to fit; shorter texts first.
   * @param {string} text @param {string} typed @returns {number} */
  const score = (text, typed) => {
    const inside = folded(text);
    const words = folded(typed).split(/\s+/).filter(Boolean);
    if (!words.length) return 1;
    const scores = words.map((word) => wordScore(inside, word));
    if (scores.some((each) => each <= 0)) return 0;
    return scores.reduce((sum, each) => sum + each, 0) - Math.min(inside.length / 100, 1);
  };
  window.fuzzy = { score };
})();
