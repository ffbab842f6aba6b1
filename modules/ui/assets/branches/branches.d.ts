// What the scripts of this area share.

/** A text with the natural logarithm of its probability, where it begins, and what could have stood there. */
type TokenPiece = [text: string, logprob: number | null, start: number, candidates: TokenCandidate[]];

/** A text, null for bytes that are no whole character; the logarithm of its probability; whether it ends the reply. */
type TokenCandidate = [text: string | null, logprob: number, isEnd: boolean];

interface Window {
  tokenView: {
    connect(ask: Send, act: Send, value: () => string): void;
    apply(value: string): void;
  };
  tokenPopover: {
    /** `token` is one of a message; what is pinned stays until it is dismissed. */
    show(token: HTMLElement, piece: TokenPiece, take: (candidate: number) => void, isPinned: boolean): void;
    hideSoon(): void;
    hide(): void;
    enter(): void;
    readonly token: HTMLElement | null;
  };
}

interface Window {
  compare: {
    connect(ask: Send, write: Send, choices: () => string): void;
    /** The reply of a message's number; the last one where it is null. */
    open(index: number | null): void;
  };
}

interface Window {
  /** A frame with HTML that can reach nothing. */
  sealedFrame(content: string, name: string): HTMLIFrameElement;
  artifacts: {
    connect(ask: Send): void;
    apply(value: string): void;
  };
}

/** A version of a message: row, side, number and count of versions, what it says, and the choices that lead to it. Or
 * another chat: the one that this branched off, or one that branched off this, with its id. */
interface BranchNode {
  r: number;
  s: "user" | "assistant" | "parent" | "branch";
  v: number;
  n: number;
  t: string;
  p: [row: number, side: string, version: number][];
  m: string;
  c?: string;
}

interface Window {
  branchTree: {
    show(nodes: BranchNode[], choose: (node: BranchNode) => void): void;
  };
  chatInfo: {
    connect(look: () => void, prompt: (number: number) => void, choose: Send): void;
    apply(value: string): void;
  };
}
