import {
  createPicture,
  drawText,
  fillRectangle,
  fitText,
  type Picture,
  textHeight,
  textWidth,
} from '../picture/picture.ts';
import type { Confusion, Scores } from './confusion.ts';

/** What `--json` prints: fractions, null for a class that does not occur. */
export function scoresJson(scores: Scores): {
  mIoU: number | null;
  pixelAccuracy: number | null;
  classes: { name: string; iou: number | null }[];
} {
  return {
    mIoU: scores.mIoU,
    pixelAccuracy: scores.pixelAccuracy,
    classes: scores.classes.map(({ name, iou }) => ({ name, iou })),
  };
}

/** A table for people: one row per class, then the means; per cent with one digit, `-` for what does not occur. */
export function scoresTable(
  scores: Scores,
  baselines: readonly { name: string; scores: Scores }[] = [],
): string {
  const header = [
    'class',
    'IoU %',
    'recall %',
    'precision %',
    'pixels',
    ...baselines.map(({ name }) => `${name} IoU %`),
  ];
  const rows = scores.classes.map((entry, index) => [
    entry.name,
    percent(entry.iou),
    percent(entry.recall),
    percent(entry.precision),
    String(entry.pixels),
    ...baselines.map((baseline) => percent(baseline.scores.classes[index]!.iou)),
  ]);
  const footer = [
    [
      'mean',
      percent(scores.mIoU),
      '',
      '',
      String(scores.pixels),
      ...baselines.map((b) => percent(b.scores.mIoU)),
    ],
    [
      'pixel accuracy',
      percent(scores.pixelAccuracy),
      '',
      '',
      '',
      ...baselines.map((b) => percent(b.scores.pixelAccuracy)),
    ],
  ];
  const all = [header, ...rows, ...footer];
  const widths = header.map((_, column) => Math.max(...all.map((row) => [...row[column]!].length)));
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const space = ' '.repeat(widths[column]! - [...cell].length);
        return column === 0 ? cell + space : space + cell;
      })
      .join('  ')
      .trimEnd();
  return [line(header), rule, ...rows.map(line), rule, ...footer.map(line)].join('\n');
}

/** The confusion matrix as CSV (RFC 4180): labels down, predictions across, pixels; then each class's scores as fractions. */
export function confusionCsv(confusion: Confusion): string {
  const { names, counts } = confusion;
  const columns = names.length + 1;
  const { classes } = confusion.scores();
  const rows = [['label', ...names, 'unclassified', 'iou', 'recall', 'precision']];
  names.forEach((name, label) => {
    const { iou, recall, precision } = classes[label]!;
    rows.push([
      name,
      ...Array.from(counts.subarray(label * columns, (label + 1) * columns), String),
      ...[iou, recall, precision].map((value) => (value === null ? '' : String(value))),
    ]);
  });
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

/**
 * The confusion matrix as a picture: labels down, predictions across, every row as shares of its label's pixels, white to
 * blue; each class's IoU at the right. Classes beyond the first 40 are left out and counted in a line below.
 */
export function drawConfusion(confusion: Confusion): Picture {
  const scores = confusion.scores();
  const all = confusion.names.length;
  const shown = Math.min(all, 40);
  const hasUnclassified = confusion.counts.some((count, i) => count > 0 && i % (all + 1) === all);
  const columns = shown + (hasUnclassified ? 1 : 0);
  const text = 2;
  const line = textHeight(text) + 6;
  const cellHeight = 40;
  const names = [...confusion.names.slice(0, shown)];
  const longest = Math.max(
    ...names.map((name) => textWidth(name, text)),
    hasUnclassified ? textWidth('unclassified', text) : 0,
  );
  const cellWidth = Math.min(Math.max(longest + 12, 72), shown > 16 ? 84 : 160);
  const nameWidth = Math.min(260, Math.max(textWidth('label', text), longest)) + 12;
  const left = 16 + nameWidth;
  const top = 16 + 2 * line + 8;
  const width = Math.max(left + columns * cellWidth + 110, 560);
  const height = top + shown * cellHeight + 2 * line + 24;
  const picture = createPicture(width, height, [255, 255, 255]);
  const ink = [34, 34, 34] as const;
  drawText(picture, 16, 16, 'Labels down, predictions across, % of the label', ink, text);
  const headings = hasUnclassified ? [...names, 'unclassified'] : names;
  headings.forEach((name, column) => {
    // Two staggered lines would not fit long names either: the scale drops instead.
    const fitted = textWidth(name, text) <= cellWidth - 6 ? text : 1;
    const label = fitText(name, cellWidth - 6, fitted);
    const x = left + column * cellWidth + Math.floor((cellWidth - textWidth(label, fitted)) / 2);
    drawText(picture, x, top - textHeight(fitted) - 6, label, ink, fitted);
  });
  drawText(picture, left + columns * cellWidth + 16, top - textHeight(text) - 6, 'IoU', ink, text);
  for (let label = 0; label < shown; label++) {
    const row = confusion.counts.subarray(label * (all + 1), (label + 1) * (all + 1));
    const total = row.reduce((sum, count) => sum + count, 0);
    const y = top + label * cellHeight;
    const middle = y + Math.floor((cellHeight - 7 * text) / 2);
    const name = fitText(names[label]!, nameWidth - 12, text);
    drawText(picture, left - 10 - textWidth(name, text), middle, name, ink, text);
    for (let column = 0; column < columns; column++) {
      const share = total > 0 ? row[column < shown ? column : all]! / total : 0;
      const x = left + column * cellWidth;
      const shade = [255 - 255 * share, 255 - 141 * share, 255 - 77 * share].map(Math.round);
      fillRectangle(picture, x, y, cellWidth - 1, cellHeight - 1, [shade[0]!, shade[1]!, shade[2]!]);
      const value = total > 0 ? (100 * share).toFixed(1) : '-';
      const textX = x + Math.floor((cellWidth - textWidth(value, text)) / 2);
      drawText(picture, textX, middle, value, share > 0.5 ? [255, 255, 255] : ink, text);
      if (column === label) outline(picture, x, y, cellWidth - 1, cellHeight - 1);
    }
    drawText(
      picture,
      left + columns * cellWidth + 16,
      middle,
      percent(scores.classes[label]!.iou),
      ink,
      text,
    );
  }
  const summary = `mIoU ${percent(scores.mIoU)} %   pixel accuracy ${percent(scores.pixelAccuracy)} %`;
  const bottom = top + shown * cellHeight + 12;
  drawText(picture, 16, bottom, summary, ink, text);
  if (all > shown)
    drawText(picture, 16, bottom + line, `${all - shown} more classes are not shown`, ink, text);
  return picture;
}

function outline(picture: Picture, x: number, y: number, width: number, height: number): void {
  const ink = [34, 34, 34] as const;
  fillRectangle(picture, x, y, width, 1, ink);
  fillRectangle(picture, x, y + height - 1, width, 1, ink);
  fillRectangle(picture, x, y, 1, height, ink);
  fillRectangle(picture, x + width - 1, y, 1, height, ink);
}

function percent(fraction: number | null): string {
  return fraction === null ? '-' : (100 * fraction).toFixed(1);
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
