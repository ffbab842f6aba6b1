// Scripts of the page are functions that are run where they stand: here each is run with a window of the test's own.
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";

const ASSETS = new URL("../../modules/ui/assets/", import.meta.url);

/** What the scripts hang on `window`, which holds `given` besides. */
export const load = (paths, given = {}) => {
  const window = { ...given };
  window.window = window;
  const context = createContext(window);
  for (const path of paths) runInContext(readFileSync(new URL(path, ASSETS), "utf-8"), context, { filename: path });
  return window;
};
