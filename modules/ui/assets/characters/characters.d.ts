// What the scripts of this area share: files that are dropped on the page, and the characters and personas that there are.

/** A character or persona; `chosen` is there where one of them is, `fixed` for one that has no file to delete. */
interface GridCard {
  file: string;
  name: string;
  text: string;
  tags: string[];
  picture: string;
  broken: boolean;
  chosen?: boolean;
  fixed?: boolean;
}

/** What has the server asked for that act. */
type GridAct = (act: string, more?: object) => () => void;

interface CardGridOptions {
  /** The id of the tab in which it stands. */
  part: string;
  title(card: GridCard): string;
  search(): string;
  label(): string;
  hint(): string;
  none(): string;
  noneFound(): string;
  press(card: GridCard, send: (act: string) => void): void;
  acts(card: GridCard, act: GridAct): OverlayMenuItem[];
  /** The answer to the act that was asked for last is there. */
  after(act: string): void;
}

interface CardGrid {
  connect(element: HTMLElement, send: Send, value: () => string): void;
  draw(): void;
  after(): void;
}

interface Window {
  cardDrop: {
    connect(trigger: Send): void;
    upload(file: File): void;
    /** What has become of a file, as JSON. */
    tell(value: string): void;
  };
  /** Chooses the character of that file. */
  talkTo(file: string): void;
  cardGrid(options: CardGridOptions): CardGrid;
  characterGrid: CardGrid & { begin(): void };
  personaGrid: CardGrid;
}
