import { Problem } from '../report/problem.ts';
import type { Random } from '../synthetic/random.ts';
import { conceptPlace, concepts, narrowConcepts } from './concepts.ts';

/** What stored label values stand for. */
export interface LegendEntry {
  value: number | readonly number[];
  /** Names of the narrow concepts that it may be; `not` stands for every one but those. */
  concepts?: readonly string[];
  not?: readonly string[];
  /** Factor of its pixels' weight in the loss (default 1), for what is easily lost among its neighbours. */
  weight?: number;
  /** A wide concept whose words name the label as a whole. */
  wide?: string;
  /** The concept that it is taken for where its own is not asked for: paved yards for roads rather than for roofs. */
  like?: string;
}

/** One reading of a legend: which label of a batch every stored value is, and which concepts each label may be. */
export interface Reading {
  /** `[256]`: label by stored value; 255 where the value is ignored. */
  labelOf: Uint8Array;
  /** Places of concepts by label; no concept occurs twice. */
  members: number[][];
}

export const ignoredLabel = 255;

/** Throws `dataset/legend` or `dataset/concept` where a legend contradicts itself. */
export function checkLegend(entries: readonly LegendEntry[], source: string): void {
  const owner = new Map<number, LegendEntry['value']>();
  const seen = new Set<number>();
  for (const entry of entries) {
    for (const value of legendValues(entry)) {
      if (!Number.isInteger(value) || value < 0 || value > 255)
        throw legendProblem(source, `${value} is no label value of 0 to 255`);
      if (seen.has(value)) throw legendProblem(source, `label ${value} occurs twice`);
      seen.add(value);
    }
    const places = narrow(entry);
    if (places.length === 0 && entry.wide === undefined)
      throw legendProblem(source, `label ${entry.value} stands for nothing`);
    for (const place of places) {
      const other = owner.get(place);
      if (other !== undefined)
        throw legendProblem(
          source,
          `labels ${other} and ${entry.value} both stand for ${concepts[place]!.name}`,
        );
      owner.set(place, entry.value);
    }
    if (entry.wide !== undefined) conceptPlace(entry.wide);
    if (entry.like !== undefined) conceptPlace(entry.like);
  }
}

function legendProblem(source: string, what: string): Problem {
  return new Problem('dataset/legend', `${source}: ${what}.`, 'Correct the legend in the configuration.');
}

/** The stored values of an entry. */
export function legendValues({ value }: LegendEntry): readonly number[] {
  return typeof value === 'number' ? [value] : value;
}

function narrow(entry: LegendEntry): number[] {
  if (entry.not) {
    const without = new Set(entry.not.map(conceptPlace));
    return narrowConcepts.filter((place) => !without.has(place));
  }
  return (entry.concepts ?? []).map(conceptPlace);
}

interface Group {
  values: number[];
  members: Set<number>;
}

/**
 * A reading of the legend for one picture. Labels that a wide concept covers are sometimes merged into it, and the rest
 * beside a few labels into the background, so that legends of every depth are learnt from each set.
 */
export function drawReading(entries: readonly LegendEntry[], random: Random): Reading {
  let groups: Group[] = entries.map((entry) => {
    const members = narrow(entry);
    const wide = entry.wide === undefined ? null : conceptPlace(entry.wide);
    const named = wide !== null && (members.length === 0 || random.chance(0.4));
    return { values: [...legendValues(entry)], members: new Set(named ? [wide] : members) };
  });
  for (const [place, { like }] of entries.entries()) {
    if (like === undefined || !random.chance(likeChance)) continue;
    const kin = groups.find(({ members }) => members.has(conceptPlace(like)));
    const own = groups[place]!;
    if (!kin || kin === own) continue;
    kin.values.push(...own.values);
    own.values = [];
  }
  groups = groups.filter(({ values }) => values.length > 0);
  const open = entries.some(({ not }) => not !== undefined);
  for (const [place, { covers, name }] of concepts.entries()) {
    // Where one label is everything else, a wide concept may lie on both sides.
    if (open || covers.length === 0 || !random.chance(mergeChance(name))) continue;
    const parts = new Set(covers.map(conceptPlace));
    const merged = groups.filter(({ members }) => [...members].every((member) => parts.has(member)));
    if (merged.length === 0 || merged.length === groups.length) continue;
    const rest = groups.filter((group) => !merged.includes(group));
    // The wide word must not compete with itself.
    if (rest.some(({ members }) => members.has(place))) continue;
    groups = [...rest, { values: merged.flatMap(({ values }) => values), members: new Set([place]) }];
  }
  if (groups.length > 2 && random.chance(0.15)) {
    const kept = 1 + random.integer(Math.min(3, groups.length - 1));
    const order = groups.map((group) => ({ group, key: random.next() })).sort((a, b) => a.key - b.key);
    const rest = order.slice(kept).map(({ group }) => group);
    groups = [
      ...order.slice(0, kept).map(({ group }) => group),
      { values: rest.flatMap(({ values }) => values), members: new Set([conceptPlace('background')]) },
    ];
  }
  const labelOf = new Uint8Array(256).fill(ignoredLabel);
  groups.forEach(({ values }, label) => {
    for (const value of values) labelOf[value] = label;
  });
  return { labelOf, members: groups.map(({ members }) => [...members]) };
}

const likeChance = 0.4;

function mergeChance(wide: string): number {
  return wide === 'built-up' ? 0.08 : 0.2;
}
