// What the frame of the page shares: news of the server, answers that are awaited, columns, sections, looks.

/** The program's number, another one after each start, and texts that differ when something is another one. */
interface News {
  program: number;
  chats: string;
  models: string;
}

interface Window {
  news: {
    /** The server cannot be reached. Whoever wants to hear of a change listens to the event `server`. */
    readonly isLost: boolean;
    /** Called with what is known now, and with all that is new while the tab is seen. */
    watch(listener: (news: News) => void): void;
    /** Whether the server has answered somebody who has asked it. */
    found(isThere: boolean): void;
  };
  answers: {
    /** The server has been asked for something that it has not answered. */
    readonly isAwaited: boolean;
    /** When an event of Gradio's has said something last, as `performance.now()` has it. */
    readonly heardAt: number;
  };
}

/** How much of the page is shown. */
type Level = "simple" | "expert";

interface Window {
  level: {
    readonly value: string;
    connect(trigger: (level: Level) => void, level: string): void;
    apply(level: string): void;
    set(level: Level): void;
  };
  /** Whether the inspector is open at first. */
  preferredInspector: boolean;
  /** Clicks a download button once the page has its new file. */
  fetchFile(id: string): void;
  /** Loads the page anew when another server answers at its address. */
  awaitRestart(): Promise<void>;
}
