/** What a browser tells of a key. */
type KeyPress = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

interface KeyBinding {
  id: string;
  /** Any of these; modifiers in the order Ctrl, Alt, Shift. */
  keys: string[];
  label: string;
  group: string;
  /** What has to be shown. */
  where?: "anywhere" | "chat" | "notebook";
  /** Selectors of buttons, of which the first one that is there is pressed. */
  press?: string[];
  /** The name of what is done, in `window.keys.acts`. */
  act?: string;
  /** What has the focus does it: the table only names it. */
  isNative?: boolean;
}

interface Window {
  keyTable: {
    all: KeyBinding[];
    written(combination: string, isMac: boolean, translated?: (word: string) => string): string;
    isPressed(press: KeyPress, combination: string): boolean;
    isPlain(combination: string): boolean;
  };
  keys: {
    /** What bindings name; false says that there was nothing to do, and leaves the key to whatever has the focus. */
    acts: Record<string, (event?: KeyboardEvent) => unknown>;
    /** Does what the binding says, as if its keys were pressed. */
    run(id: string): void;
    /** Its keys, as they are written on this keyboard; empty for what is no binding. */
    of(id: string): string;
    openSheet(): void;
  };
}
