// What is said into a microphone, what is read aloud, and the line above the box that tells of both.

interface OpenMicrophone {
  /** Samples a second. */
  rate: number;
  close(): void;
}

interface Window {
  microphone: {
    FRAMES_A_SECOND: number;
    /** Has the model loaded; fails with what to do where there is none. */
    prepare(): Promise<unknown>;
    open(heard: (frame: Float32Array) => void): Promise<OpenMicrophone>;
    loudness(frame: Float32Array): number;
    transcribe(frames: Float32Array[], rate: number, signal: AbortSignal): Promise<string>;
  };
  voiceLine: {
    say(words: string, kind?: string): void;
    level(loudness: number): void;
    hide(): void;
    fail(error: unknown): void;
  };
  dictation: { cancel(): void };
  call: { end(): void; VoiceActivity: new () => { hear(loudness: number, isPlaying: boolean): "begin" | "end" | null } };
  readAloud: {
    /** Reads the reply to come. */
    begin(): void;
    prepare(): void;
    stop(): void;
    readonly isSpeaking: boolean;
    /** Reads a message, or stops. `key` is what its bar says of it. */
    toggle(message: HTMLElement | undefined, key: string): void;
    show(): void;
  };
}
