import { Problem } from '../report/problem.ts';
import { quoted } from './checkpoint-file.ts';

/** How one tensor of ours comes from tensors of the file. */
export interface NameRule {
  name: string;
  /** The file's names; several are stacked along the first axis, in this order. */
  from: string[];
  /** A matrix that the file holds the other way round. */
  transposed: boolean;
}

/** The one prefix before `anchor` in these names, or undefined. Two are ambiguous: student and teacher, say. */
export function prefixBefore(path: string, names: string[], anchor: string): string | undefined {
  const prefixes = names
    .filter((name) => name === anchor || name.endsWith(`.${anchor}`))
    .map((name) => name.slice(0, name.length - anchor.length));
  if (prefixes.length > 1)
    throw new Problem(
      'checkpoint/ambiguous',
      `${path}: holds several models: ${prefixes.slice(0, 10).map(quoted).join(', ')}.`,
      'Export the one you want alone.',
    );
  return prefixes[0];
}
