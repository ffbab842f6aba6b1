// window.modelPicker: the header's pill, the list of models, and how one is loaded.

interface PickerState {
  name: string;
  title: string;
  quantization: string;
  status: "loaded" | "loading" | "sleeping" | "failed" | "none" | "remote";
  progress?: number;
  message?: string;
  context: number;
  /** Kinds of media that the model takes; missing where that is not known. */
  reads?: string[];
  waiting: { title: string; uses: number } | null;
  failure: { name: string; title: string; message: string } | null;
  mayChoose: boolean;
}

interface PickerRow {
  name: string;
  title: string;
  quantization: string;
  group: "loaded" | "disk" | "remote";
  status?: string;
  progress?: number;
  size?: number;
  memory?: number;
  context?: number;
  trained?: number;
  abilities: string[];
  /** Bytes that are missing for it. */
  lacks?: number;
  problem?: string;
}

interface PickerRoom {
  free: number;
  total: number;
}

interface PickerList {
  rows: PickerRow[];
  recent: string[];
  /** Names of servers that do not answer. */
  silent: string[];
  room: PickerRoom;
  suggested: { title: string; source: string; gib: number }[];
  error?: string;
}

interface PickerField {
  name: string;
  label: string;
  info: string;
  kind: string;
  choices: string[];
  value: string | number | boolean | null;
  main: boolean;
}

interface PickerPreview {
  name: string;
  title: string;
  fields: PickerField[];
  context: number;
  needs: number;
  parts: { name: string; bytes: number }[];
  lacks: number;
  room: PickerRoom;
  error?: string;
}

interface PickerAnswer {
  uses?: number;
  error?: string;
}

interface PickerLoad {
  name: string;
  args?: Record<string, unknown>;
  remember?: boolean;
  decision?: "wait" | "stop";
}

interface PickerServer {
  model_state(chosen: string): Promise<PickerState>;
  model_list(nothing: string): Promise<PickerList>;
  model_preview(asked: { name: string; args: Record<string, unknown> }): Promise<PickerPreview>;
  model_load(asked: PickerLoad): Promise<PickerAnswer>;
  model_unload(asked: { name: string; decision?: "wait" | "stop" }): Promise<PickerAnswer>;
  model_give_up(nothing: string): Promise<PickerAnswer>;
}

interface PickerParts {
  element: HTMLElement;
  server: PickerServer;
  show(value: string): void;
  changed(): void;
  choose(name: string): void;
}

interface ModelPicker {
  /** The pill as HTML. */
  pill(value: string): string;
  connect(parts: PickerParts): void;
  readonly state: PickerState | null;
  readonly server: PickerServer | null;
  open(search?: string): void;
  /** Has the model loaded, if it is one of this machine, and this chat answered by it. */
  choose(name: string): Promise<void>;
  /** What the replies that run become: null where its user thought better of it. */
  decide(uses: number, act?: "load" | "unload"): Promise<"wait" | "stop" | null>;
  load(load: PickerLoad): Promise<boolean>;
  settings(name: string): void;
  size(bytes: number): string;
  tokens(count: number): string;
  look(): Promise<void>;
}

interface Window {
  modelPicker: ModelPicker;
}
