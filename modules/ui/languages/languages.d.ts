interface Window {
  /** English → the page's language; not there where that is English. */
  languageTexts?: Record<string, string>;
  /** Where each language's texts are. */
  languageFiles?: Record<string, string>;
  /** Called by a language's file. */
  applyLanguage(): void;
  text(english: string, values?: Record<string, string | number>): string;
  language: { chosen: string; shown: string; browser: string };
  /** `system`, or a code such as de; the page is opened again. */
  chooseLanguage(language: string): void;
}
