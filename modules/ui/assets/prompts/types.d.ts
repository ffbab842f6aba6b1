interface PromptVariable {
  name: string;
  kind: "text" | "long" | "select";
  choices: string[];
}

/** The library, or what went wrong. */
type PromptAnswer = Pick<PaletteThings, "prompts" | "problems"> & { error?: string };

interface PromptServer {
  prompts(): Promise<PromptAnswer>;
  save(prompt: LibraryPrompt): Promise<PromptAnswer>;
  remove(id: string): Promise<PromptAnswer>;
}

interface Window {
  promptText: {
    variables(text: string): PromptVariable[];
    filled(text: string, values: Record<string, string>): string;
  };
  prompts: {
    /** Asks which prompt, then for its variables, and puts it where it belongs. */
    choose(target: HTMLTextAreaElement): void;
    /** Asks for the variables, and puts the prompt into the field: in place of a slash, else where the cursor is. */
    insert(prompt: LibraryPrompt, target?: HTMLTextAreaElement | null): void;
    /** The section of the settings. */
    manage(element: HTMLElement, server: PromptServer): void;
  };
}
