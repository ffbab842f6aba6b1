// window.knowledge: collections of documents, in the message box and in citations.

interface KnowledgeNames {
  /** Of all collections, as the page last heard of them. */
  readonly names: string[];
  connect(trigger: (act: object) => void, value: () => string): void;
  apply(value: string): void;
  refresh(): void;
  /** Opens the passage of that number of the chat. */
  cite(number: number): void;
}

interface Window {
  knowledge: KnowledgeNames;
}
