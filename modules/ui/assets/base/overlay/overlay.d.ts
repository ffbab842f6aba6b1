// window.overlay: native dialogs, sheets, the palette's frame and menus.

/** Text, an element, or what fills the body itself (and may return an element besides). */
type OverlayContent = Node | string | ((body: HTMLElement, handle: OverlayHandle) => Node | string | void);

interface OverlayAction {
  label: string;
  kind?: "primary" | "danger" | "plain";
  /** What the dialog is closed with; the label where there is none. */
  value?: unknown;
  disabled?: boolean;
  /** Runs before the dialog closes. False leaves it open; what is thrown is shown in it, which leaves it open, too. */
  act?(handle: OverlayHandle): unknown;
}

interface OverlayOptions {
  title: string;
  /** `sheet` is a panel at the right edge. On a phone, dialogs and sheets are both at the lower edge. */
  kind?: "dialog" | "sheet" | "palette";
  size?: "small" | "medium" | "large";
  className?: string;
  content?: OverlayContent;
  actions?: OverlayAction[];
  /** A selector of what gets the focus; the first field where there is none. */
  focus?: string;
  /** Asked before it is closed by Esc, ✕ or a press beside it: false keeps it open. */
  canClose?(handle: OverlayHandle): boolean | Promise<boolean>;
  onClose?(value: unknown): void;
}

interface OverlayHandle {
  dialog: HTMLDialogElement;
  body: HTMLElement;
  /** Comes with the value that it was closed with, undefined where it was dismissed. */
  closed: Promise<unknown>;
  close(value?: unknown): void;
  /** Shows what went wrong, at the lower end. */
  fail(message: string): void;
}

interface OverlayQuestion {
  title: string;
  text?: string;
  confirm?: string;
  cancel?: string;
  isDangerous?: boolean;
}

/** A button, or a place in the window, as of a right click. */
type OverlayAnchor = Element | { x: number; y: number };

interface OverlayMenuItem {
  label?: string;
  icon?: string;
  /** A second, quiet line. */
  detail?: string;
  title?: string;
  keys?: string;
  act?: () => void;
  /** A menu that takes the place of this one. */
  items?: OverlayMenuItem[] | (() => OverlayMenuItem[]);
  checked?: boolean;
  disabled?: boolean;
  isDangerous?: boolean;
  isBack?: boolean;
  separator?: boolean;
  heading?: string;
}

interface OverlayMenuOptions {
  label?: string;
  onClose?(): void;
}

interface OverlayMenuHandle {
  element: HTMLElement;
  close(): void;
}

interface Overlay {
  open(options: OverlayOptions): OverlayHandle;
  confirm(question: OverlayQuestion): Promise<boolean>;
  menu(anchor: OverlayAnchor, items: OverlayMenuItem[], options?: OverlayMenuOptions): OverlayMenuHandle;
  /** An element with properties, attributes and children. */
  element<Tag extends keyof HTMLElementTagNameMap>(
    tag: Tag,
    properties?: Record<string, unknown>,
    ...children: (Node | string | null | undefined | false)[]
  ): HTMLElementTagNameMap[Tag];
  readonly isOpen: boolean;
  readonly top: OverlayHandle | null;
  closeAll(): void;
}

interface Window {
  overlay: Overlay;
}
