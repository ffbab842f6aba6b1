// window.composerMeter: what the server says of the context, of files beside a message and of the reply's pace.

interface Window {
  composerMeter: {
    connect(trigger: Send, value: () => string): void;
    apply(value: string): void;
  };
}
