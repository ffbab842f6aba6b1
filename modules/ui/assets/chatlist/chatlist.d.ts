// window.pastChats: the list of chats, and the chat that this tab shows.

interface ChatRow {
  id: string;
  title: string;
  /** In seconds since 1970. */
  changed: number;
  pinned?: boolean;
  folder?: string;
  tags?: string[];
  /** A reply is being written to it. */
  writing?: boolean;
  /** It has a reply that nobody has seen. */
  unseen?: boolean;
  /** The passage that was found: parts of the text, each with whether it was looked for. */
  pieces?: [string, boolean][];
}
interface ChatFolder {
  id: string;
  name: string;
  parent: string;
}
interface ChatRows {
  character: string | null;
  revision: string;
  chats: ChatRow[];
  folders: ChatFolder[];
  more: boolean;
  problem: string;
}
/** The chat that is shown; its id is empty while it is new. */
interface ShownChat {
  chat: string;
  title: string;
  temporary: boolean;
}
interface ChatSection {
  key: string;
  label: string;
  kind: "pinned" | "folder" | "time";
  folder?: string;
  depth: number;
  chats: ChatRow[];
}
/** What there is of the chat that is shown. */
interface ToldChat {
  /** The mark of its messages, or another text for each reply that is being written to it. */
  state?: string;
  /** It was deleted. */
  gone?: boolean;
}
/** Functions of the server, each with one object. */
type ChatServer = Record<"list_changes" | "search_chats" | "arrange_chats" | "delete_chats", (asked: Record<string, unknown>) => Promise<any>>;
interface ChatActs {
  open(asked: { chat: string; back?: boolean; changed?: string }): void;
  rename(asked: { chat: string; name: string }): void;
  remove(asked: { chat: string }, isShown: boolean): void;
  copy(asked: { chat: string; kind: "branch" | "copy" }): void;
  save(asked: { chat: string; format: "md" | "json" | "zip" }): void;
}

interface Window {
  /** Whether the page was opened with words for a new chat. */
  prefilled: boolean;
  /** What this tab has shown before, and what its address asks for. */
  openingPlace(): string;
  changedChat: {
    /** What the server has said of the chat; `again` asks once more. */
    hear(chat: string, told: ToldChat, again: () => Promise<unknown>): void;
  };
  chatSections(list: ChatRows, words: string, now: Date): ChatSection[];
  pastChats: {
    connect(element: HTMLElement, server: ChatServer, acts: ChatActs, value: () => string): void;
    apply(value: string): void;
    connectSearch(element: HTMLElement): void;
    connectMenu(element: HTMLElement): void;
    readonly shown: ShownChat;
    readonly list: ChatRows;
    readonly acts: ChatActs;
    readonly root: HTMLElement | null;
    row(id: string): ChatRow | undefined;
    item(id: string): HTMLElement | null;
    open(chat: string, options?: { back?: boolean }): void;
    arrange(asked: Record<string, unknown>): Promise<void>;
    /** Asks how many chats there are, and deletes them all when that is confirmed. */
    removeAll(): Promise<void>;
    search(words: string): Promise<void>;
    rename(id: string): void;
    remove(id: string): void;
    renameFolder(id: string): void;
    searchFor(words: string): void;
    menu(id: string, anchor: OverlayAnchor): void;
    folderMenu(id: string, anchor: OverlayAnchor): void;
    moveFocus(event: KeyboardEvent): boolean;
    /** Called with what is shown, whenever that or its title changes, and at once. */
    watch(listener: (shown: ShownChat) => void): void;
    isWriting(): boolean;
    tell(message: string): void;
    /** Text fields for names, in a list or elsewhere. */
    nameField(name: string, label: string, save: (name: string) => void, close: () => void): HTMLInputElement;
  };
}
