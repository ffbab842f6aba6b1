type FileKindName = "preset" | "grammar" | "lorebook";

/** On, name, keys, content, always, order, and the entry's number in its book. */
type BookRow = [isOn: boolean, name: string, keys: string, content: string, isAlways: boolean, order: number, number: number];

/** `rows` instead of the text, where a form is written. Without `before` it is a new file. */
interface FileSaved {
  name: string;
  before?: string;
  text?: string;
  rows?: BookRow[];
}

/** What there is, or what went wrong; `removed` is the text of what was deleted. */
interface FilesAnswer {
  names: string[];
  can_save: boolean;
  removed?: string;
  error?: string;
}

interface FileRead {
  text: string;
  rows?: BookRow[];
  more?: number;
  error?: string;
}

interface FilesServer {
  files(): Promise<FilesAnswer>;
  read(name: string): Promise<FileRead>;
  save(sent: FileSaved): Promise<FilesAnswer>;
  remove(name: string): Promise<FilesAnswer>;
}

/** Where a file is written: its element, and what was entered. */
interface FileForm {
  element: HTMLElement;
  entered(): { text?: string; rows?: BookRow[] };
}

interface Window {
  libraryFiles: {
    manage(element: HTMLElement, server: FilesServer, kind: FileKindName, changed: () => void): void;
  };
  /** The name to save under: the chosen one's, or one that is asked for; never answered where that was dismissed. */
  nameFile(chosen: string | null, title: string, always: boolean, fixed: string[]): Promise<string>;
  bookForm(rows: BookRow[], more: number): FileForm;
}
