import { Confusion, type Scores } from '../evaluate/confusion.ts';
import { readLabelImage } from '../evaluate/label-image.ts';

export interface CompareMapsRequest {
  /** Class maps of one size; id 0 is unclassified, and left out where the true map has it. */
  truth: string;
  classMap: string;
  /** Names by id from 1. */
  names: string[];
}

/** Scores of a class map against the true one. Throws `Problem`. */
export async function compareMaps({ truth, classMap, names }: CompareMapsRequest): Promise<Scores> {
  const expected = await readLabelImage(truth);
  const found = await readLabelImage(classMap);
  const unlabelled = names.length;
  const confusion = new Confusion(names, unlabelled);
  confusion.add(
    Uint16Array.from(expected.values, (id) => (id === 0 ? unlabelled : id - 1)),
    found.values,
    truth,
  );
  return confusion.scores();
}
