/**
 * Classes asked for by words on three pairs of Sentinel-1 and Sentinel-2 chips (TerraMind, 224 × 224 pixels of 10 m),
 * scored against their land cover (ESRI and Impact Observatory): the SAR encoder on SAR, the optical one on the same
 * SAR and on the optical twin, and the baselines, fitted to the very chips. The starter's SAR encoder has learnt from
 * the western 70 % of the chips, so the eastern 30 % are scored apart. Percent.
 *
 *   node bench/radar.ts [--chips ../shared/data/pairs/terramind] [--pack NAME] [--threads 2]
 *     [--names-alone: ask for each class by its name alone] [--json]
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runEvaluate } from '../src/main/run/evaluate.ts';
import { parseClassesFile } from '../src/worker/classmap/classes.ts';

interface Scores {
  mIoU: number | null;
  pixelAccuracy: number | null;
  classes: { name: string; iou: number | null }[];
}

const root = path.resolve(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    chips: { type: 'string', default: path.join(root, '../shared/data/pairs/terramind') },
    pack: { type: 'string', default: path.join(root, 'models/starter') },
    threads: { type: 'string', default: '2' },
    'names-alone': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
if (!existsSync(values.chips)) {
  console.log(`Not measured: there are no chips in ${values.chips}.`);
  process.exit(0);
}
const classes = parseClassesFile(
  readFileSync(path.join(root, 'configs/classes/esri-land-cover.txt'), 'utf8'),
).map((entry) => (values['names-alone'] ? { ...entry, words: [entry.name] } : entry));
/** ESRI's codes of those classes. */
const labelValues = [1, 2, 3, 4, 5, 6, 9];
const parts = { all: null, 'eastern 30 %': [0.7, 0, 1, 1] } as const;
const looks = [
  { name: 'SAR encoder on SAR', images: 'S1RTC', modality: 'sar', encoder: 'sar' },
  { name: 'optical encoder on SAR', images: 'S1RTC', modality: 'sar', encoder: 'optical' },
  { name: 'optical encoder on optical', images: 'S2RGB', modality: 'optical', encoder: 'optical' },
] as const;

const rows: { part: string; look: string; scores: Scores }[] = [];
for (const [part, shares] of Object.entries(parts)) {
  for (const look of looks) {
    const baseline = look.encoder === 'sar' || look.images === 'S2RGB';
    const { info } = await runEvaluate({
      images: path.join(values.chips, look.images),
      labels: path.join(values.chips, 'LULC'),
      labelValues,
      part: shares && [...shares],
      ignore: null,
      encoder: look.encoder,
      scale: 1,
      segment: { pack: values.pack, classes, modality: look.modality, threads: Number(values.threads) },
      baseline: baseline ? { training: null } : null,
      csv: null,
      json: null,
      picture: null,
    });
    const { baselines, ...scores } = info as Scores & { baselines?: Record<string, Scores> };
    rows.push({ part, look: look.name, scores });
    for (const [name, own] of Object.entries(baselines ?? {}))
      rows.push({ part, look: `${name}, ${look.modality === 'sar' ? 'SAR' : 'optical'}`, scores: own });
  }
}

if (values.json) console.log(JSON.stringify(rows));
else {
  const percent = (fraction: number | null) => (fraction === null ? '-' : (100 * fraction).toFixed(1));
  const names = classes.map(({ name }) => name);
  console.log(`| part | look | accuracy | mean IoU | ${names.map((name) => `${name} IoU`).join(' | ')} |`);
  console.log(`|${' --- |'.repeat(4 + names.length)}`);
  for (const { part, look, scores } of rows) {
    const ious = scores.classes.map(({ iou }) => percent(iou));
    console.log(
      `| ${part} | ${look} | ${percent(scores.pixelAccuracy)} | ${percent(scores.mIoU)} | ${ious.join(' | ')} |`,
    );
  }
}
