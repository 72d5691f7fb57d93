import { fillTemplate, templateSets } from '../net/templates.ts';
import type { Random } from '../synthetic/random.ts';
import { concepts } from './concepts.ts';

/** A word of the concept: half the time one of the first three, which people use most. */
export function drawWord(place: number, random: Random): string {
  const { words } = concepts[place]!;
  return random.pick(random.chance(0.5) ? words.slice(0, 3) : words);
}

const plain = ['{}', 'a {}', 'the {}', '{} from above', '{} seen from the air'];

/** A sentence around the word, from the sets that inference offers, at times the bare word. */
export function drawPrompt(word: string, random: Random): string {
  const kind = random.next();
  const templates =
    kind < 0.55
      ? templateSets.imagenet.templates
      : kind < 0.75
        ? templateSets['remote-sensing'].templates
        : kind < 0.9
          ? templateSets.single.templates
          : plain;
  return fillTemplate(random.pick(templates), word);
}

const beginnings = [
  'a satellite image of {}',
  'an aerial image of {}',
  'an aerial photo with {}',
  'a remote sensing image of {}',
  'a scene of {}',
  '{}',
];

/** A sentence that names what a picture shows, most of it first. */
export function drawCaption(places: readonly number[], random: Random): string {
  const named = places.slice(0, 3).map((place) => random.pick(concepts[place]!.words));
  const list =
    named.length > 1 ? `${named.slice(0, -1).join(', ')} and ${named.at(-1)}` : (named[0] ?? 'land cover');
  return fillTemplate(random.pick(beginnings), list);
}

/** Every text that training draws from, with how often it weighs in the vocabulary. */
export function vocabularyTexts(): Map<string, number> {
  const texts = new Map<string, number>();
  for (const { words } of concepts) for (const word of words) texts.set(word, 50);
  for (const { templates } of Object.values(templateSets))
    for (const template of templates) texts.set(template.replace('{}', ''), 20);
  for (const template of [...plain, ...beginnings]) texts.set(template.replace('{}', ''), 20);
  texts.set('and', 20);
  return texts;
}
