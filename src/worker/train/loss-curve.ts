/** Reports of every step so far, in order. */
export interface LossHistory {
  /** Column names after `step`. */
  columns: readonly string[];
  rows: number[][];
}

/** Comma-separated, one row a step, numbers in full so that they read back as they were. */
export function lossTable({ columns, rows }: LossHistory): string {
  const lines = rows.map((row, at) => [at + 1, ...row].join());
  return `${[['step', ...columns].join(), ...lines].join('\n')}\n`;
}

/** The rows of a table that `lossTable` wrote, at most `count`. */
export function readLossTable(text: string, count: number): LossHistory {
  const [head, ...lines] = text.trimEnd().split('\n');
  const rows = lines.slice(0, count).map((line) => line.split(',').slice(1).map(Number));
  return { columns: head!.split(',').slice(1), rows };
}

const width = 800;
const height = 400;
const margin = { left: 60, right: 110, top: 20, bottom: 40 };
const colours = ['#1b5e9b', '#c0392b', '#2e7d32', '#8e44ad', '#b9770e'];
/** Points a curve is thinned to; each is the mean of its steps. */
const points = 300;

/** The columns named as a picture (SVG): means over neighbouring steps, from 0 to the highest of them. */
export function lossPicture({ columns, rows }: LossHistory, shown: readonly string[]): string {
  const bins = Math.max(1, Math.min(points, rows.length));
  const curves = shown.map((name) => {
    const at = columns.indexOf(name);
    return Array.from({ length: bins }, (_, bin) => {
      const from = Math.floor((bin * rows.length) / bins);
      const to = Math.max(from + 1, Math.floor(((bin + 1) * rows.length) / bins));
      let sum = 0;
      for (let row = from; row < to; row++) sum += rows[row]?.[at] ?? 0;
      return sum / (to - from);
    });
  });
  const highest = Math.max(...curves.flat().filter(Number.isFinite), 1e-9);
  const x = (bin: number) =>
    margin.left + (bin / Math.max(1, bins - 1)) * (width - margin.left - margin.right);
  const y = (loss: number) =>
    height - margin.bottom - (loss / highest) * (height - margin.top - margin.bottom);
  const parts = curves.map((curve, at) => {
    const colour = colours[at % colours.length]!;
    const line = curve
      .map((loss, bin) => `${x(bin).toFixed(1)},${y(Number.isFinite(loss) ? loss : highest).toFixed(1)}`)
      .join(' ');
    const label = `<text x="${width - margin.right + 8}" y="${margin.top + 16 * (at + 1)}" fill="${colour}">${shown[at]}</text>`;
    return `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${line}"/>${label}`;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(highest * share).toFixed(1);
    return (
      `<line x1="${margin.left}" x2="${width - margin.right}" y1="${at}" y2="${at}" stroke="#ddd"/>` +
      `<text x="${margin.left - 6}" y="${at}" text-anchor="end" dominant-baseline="middle">${(highest * share).toPrecision(3)}</text>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">` +
    `<rect width="100%" height="100%" fill="white"/>${ticks.join('')}${parts.join('')}` +
    `<text x="${margin.left}" y="${height - 12}">step 1</text>` +
    `<text x="${width - margin.right}" y="${height - 12}" text-anchor="end">step ${rows.length}</text></svg>\n`
  );
}
