// What the page's scripts share: each hangs what others use on `window`. An area adds its own in a `.d.ts` beside its
// scripts; the interfaces are merged.

// The kind of element that a selector ends with, so that its value can be read without a cast.
interface ParentNode {
  querySelector(selectors: `${string}textarea`): HTMLTextAreaElement | null;
  querySelector(selectors: `${string}input`): HTMLInputElement | null;
  querySelector(selectors: `${string}select`): HTMLSelectElement | null;
  querySelector(selectors: `${string}-button`): HTMLButtonElement | null;
  querySelector(selectors: `${string}button`): HTMLButtonElement | null;
  querySelector<E extends Element = HTMLElement>(selectors: string): E | null;
  querySelectorAll<E extends Element = HTMLElement>(selectors: string): NodeListOf<E>;
}
interface Element {
  closest<E extends Element = HTMLElement>(selectors: string): E | null;
}
// What an event befalls is an element, but for windows and documents.
interface EventTarget {
  closest?<E extends Element = HTMLElement>(selectors: string): E | null;
}

interface GradioComponent {
  id: number;
  type: string;
  props: { elem_id?: string; label?: string; info?: string; visible?: boolean | "hidden"; [name: string]: any };
}
interface GradioLayout {
  id: number;
  children?: GradioLayout[];
}
interface GradioDependency {
  id: number;
  targets: [number, string][];
  inputs: number[];
  outputs: number[];
  cancels?: number[];
}
interface GradioConfig {
  /** Another number after each start of the program. */
  app_id: number;
  components: GradioComponent[];
  dependencies: GradioDependency[];
  layout: GradioLayout;
}

/** What the server tells of a message's bar: part, side, version, versions, number of the turn, pace and the rest. */
interface MessageFact {
  p: string;
  s: string;
  v: number;
  n: number;
  r?: number;
  t?: string;
  i?: string;
  [name: string]: any;
}

/** What a part of the page sends to the server: Gradio's `trigger`, bound to one event. */
type Send = (act: Record<string, unknown>) => void;

interface Window {
  gradio_config: GradioConfig;
  preferredLook: string;
  differing: { apply(value: string | undefined): void };
  wearLook(look: string): void;
  keptPlace(): string;
  openingPlace(): string;
  chatPage: {
    facts: MessageFact[];
    send(act: Record<string, unknown>): void;
    connect(trigger: Send, value: () => string): void;
    apply(value: string): void;
    [name: string]: any;
  };
  /** Whether the conversation stays at its end. */
  conversation: { follow(): void; hold(): void };
  /** The columns beside the conversation. */
  sides: {
    isOpen(name: string): boolean;
    open(name: string): void;
    close(name: string): void;
    toggle(name: string): void;
    closeOver(): boolean;
  };
  /** Sections by the id of their tab. */
  sections: { show(name: string): void; readonly current: string };
  modelGate: { connect(trigger: () => void, value: () => string): void; apply(value: string): void };
}

// In `parts`: the body of a function that Gradio calls with these.
declare const element: HTMLElement;
declare const props: any;
declare const SAMPLERS: string[];
declare function trigger(name: string, detail?: unknown): void;
declare function watch(name: string | string[], changed: () => void): void;
