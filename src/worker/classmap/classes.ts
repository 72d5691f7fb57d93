import { Problem } from '../report/problem.ts';
import type { ClassEntry } from './class-entry.ts';
import { exampleNamed } from './class-words.ts';
import { classColours } from './palette.ts';

/** Class ids are stored in 16 bits, and 0 is unclassified. */
export const mostClasses = 65_535;

/** CLIP reads 77 tokens; far more than that is a mistake, not a prompt. */
const longestWord = 1000;

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** Classes with ids and colours from lists of words; the first word is the class's name. Throws `Problem`. */
export function classEntries(lists: readonly (readonly string[])[]): ClassEntry[] {
  if (lists.length === 0) {
    throw new Problem(
      'classes/none',
      'No class was given.',
      'Name at least one, for example --classes "building,roof; road".',
    );
  }
  if (lists.length > mostClasses) {
    throw new Problem(
      'classes/too-many',
      `${lists.length} classes were given; a class map holds ${mostClasses}.`,
      'Split the run into several.',
    );
  }
  const colours = classColours(lists);
  const names = new Map<string, number>();
  return lists.map((list, index) => {
    const id = index + 1;
    const words = [...new Set(list.map((word) => word.replace(/[\s\p{Cc}]+/gu, ' ').trim()))];
    for (const word of words) {
      if (word === '') {
        throw new Problem(
          'classes/empty-word',
          `Class ${id} has an empty word.`,
          'Remove the surplus comma or semicolon.',
        );
      }
      if (word.length > longestWord) {
        throw new Problem(
          'classes/word-too-long',
          `The word "${shorten(word)}" of class ${id} has ${word.length} characters; at most ${longestWord} are read.`,
          'Use a short phrase; a model reads about 75 tokens.',
        );
      }
    }
    const [first] = words;
    if (first === undefined) {
      throw new Problem(
        'classes/empty-word',
        `Class ${id} has no word.`,
        'Give every class at least one word.',
      );
    }
    if (words.some((word) => exampleNamed(word) === '')) {
      throw new Problem(
        'classes/empty-word',
        `Class ${id} has an @ without the name of an example.`,
        'Give the example a name, such as @pool.',
      );
    }
    const name = exampleNamed(first) ?? first;
    const key = name.toLowerCase();
    const earlier = names.get(key);
    if (earlier !== undefined) {
      throw new Problem(
        'classes/duplicate',
        `Classes ${earlier} and ${id} are both called "${shorten(name)}".`,
        'Give each class its own first word.',
      );
    }
    names.set(key, id);
    return { id, name, words, colour: colours[index]! };
  });
}

/** Classes of `building,roof,house; road; water,river`: semicolons between classes, commas between their words. */
export function parseClasses(text: string): ClassEntry[] {
  const parts = text.split(';');
  if (parts.at(-1)!.trim() === '') parts.pop();
  return classEntries(parts.map((part) => part.split(',')));
}

/**
 * Classes of a text file: one class a line, its words separated by commas. Empty lines are skipped; `#` at the start of
 * a line or after a space begins a comment.
 */
export function parseClassesFile(text: string): ClassEntry[] {
  const lists: string[][] = [];
  for (const line of text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)) {
    const content = line.replace(/(^|\s)#.*$/u, '').trim();
    if (content.includes(';')) {
      throw new Problem(
        'classes/semicolon',
        `The line "${shorten(content)}" of the classes file has a semicolon.`,
        'Give every class a line of its own, and separate its words by commas.',
      );
    }
    if (content !== '') lists.push(content.split(','));
  }
  return classEntries(lists);
}
