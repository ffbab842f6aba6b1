interface PaletteOptions {
  title?: string;
  /** In place of all. */
  sources?: PaletteSource[];
}

interface PaletteEntry {
  /** By which it is known as used recently; of its group. */
  id: string;
  label: string;
  /** A second, quiet text. */
  detail?: string;
  /** Words besides the label that it is found by. */
  words?: string;
  keys?: string;
  act(): void;
}

interface PaletteSource {
  id: string;
  /** Shown above its entries. */
  title: string;
  /** Entries that are compared with what is typed. */
  entries?(): PaletteEntry[] | Promise<PaletteEntry[]>;
  /** Entries that somebody else has found. */
  search?(typed: string): Promise<PaletteEntry[]>;
}

/** What the server knows of for the palette. */
interface PaletteThings {
  models: string[];
  presets: string[];
  prompts: LibraryPrompt[];
  problems: string[];
}

interface LibraryPrompt {
  id: string;
  name: string;
  description: string;
  tags: string[];
  text: string;
}

interface PaletteServer {
  things(): Promise<PaletteThings>;
  chats(words: string): Promise<{ id: string; title: string; passage: string; character: string }[]>;
}

interface Window {
  fuzzy: { score(text: string, typed: string): number };
  palette: {
    open(typed?: string, options?: PaletteOptions): void;
    add(source: PaletteSource): void;
    connect(server: PaletteServer, send: (act: Record<string, unknown>) => void): void;
    things(): Promise<PaletteThings>;
    choosePreset?(name: string): void;
    /** Has the server do something: choose a preset. */
    send(act: Record<string, unknown>): void;
    readonly server: PaletteServer | null;
  };
}
