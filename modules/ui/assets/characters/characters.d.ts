// window.cardDrop and window.characterGrid: files that are dropped on the page, and the characters that there are.

interface Window {
  cardDrop: {
    connect(trigger: Send): void;
    upload(file: File): void;
    /** What has become of a file, as JSON. */
    tell(value: string): void;
  };
  characterGrid: {
    connect(element: HTMLElement, send: Send, value: () => string): void;
    draw(): void;
    begin(): void;
    after(): void;
  };
  /** Chooses the character of that file. */
  talkTo(file: string): void;
}
