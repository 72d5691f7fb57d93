import { scoresTable } from '../../worker/evaluate/report.ts';
import type { DemoResult } from '../run/demo.ts';
import type { SegmentSummary } from '../run/segment.ts';
import { duration } from './progress.ts';

const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });

/** The run as a person reads it: classes, then files. */
export function summaryText(summary: SegmentSummary): string {
  const { classes, pixels, outputs, polygons, seconds } = summary;
  const nameWidth = Math.max(12, ...classes.map((entry) => entry.name.length));
  const rows = classes
    .slice(0, 40)
    .map(({ id, name, pixels: count, area }) =>
      [
        String(id).padStart(3),
        name.padEnd(nameWidth),
        `${((100 * count) / Math.max(1, pixels)).toFixed(1)} %`.padStart(7),
        area === null ? '' : `  ${areaText(area, summary.crs !== null)}`,
      ].join('  '),
    );
  if (classes.length > rows.length) rows.push(`  … and ${classes.length - rows.length} classes more`);
  if (summary.unclassified > 0) {
    const share = ((100 * summary.unclassified) / Math.max(1, pixels)).toFixed(1);
    rows.push(['  0', 'unclassified'.padEnd(nameWidth), `${share} %`.padStart(7)].join('  '));
  }
  const made = polygons === null ? '' : `${whole.format(polygons)} polygons, `;
  return [
    ...rows,
    '',
    `${made}${duration(seconds * 1000)}${summary.resumed ? ', resumed' : ''}, ${summary.precision} on ${summary.provider}`,
    ...outputs.map((file) => `  ${file}`),
  ].join('\n');
}

export function demoText(result: DemoResult): string {
  const lines = [
    summaryText(result.segment),
    `  ${result.preview}`,
    '',
    `scene     ${result.scene}`,
    `true map  ${result.truth}`,
    `picture   ${result.preview}`,
    '',
    scoresTable(result.scores),
  ];
  if (result.randomPack) {
    lines.push('', 'The pack of this demo is made of random weights: its labels mean nothing.');
  }
  return lines.join('\n');
}

function areaText(squareMetres: number, georeferenced: boolean): string {
  if (!georeferenced) return `${whole.format(squareMetres)} px²`;
  if (squareMetres < 1e6) return `${whole.format(squareMetres)} m²`;
  return `${(squareMetres / 1e6).toFixed(2)} km²`;
}
