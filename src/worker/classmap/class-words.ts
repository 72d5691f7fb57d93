/** In a class's list of words, `@name` stands for the example of that name. */
const exampleMark = '@';

/** The name of the example that a word stands for; null for a word. */
export function exampleNamed(word: string): string | null {
  return word.startsWith(exampleMark) ? word.slice(exampleMark.length).trim() : null;
}

/** The words that are none but words. */
export function plainWords(words: readonly string[]): string[] {
  return words.filter((word) => exampleNamed(word) === null);
}
