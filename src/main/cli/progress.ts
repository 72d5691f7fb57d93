import type { Progress } from '../../worker/report/progress.ts';

/** What the progress display needs of standard error. */
export interface ProgressStream {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

export interface ProgressDisplay {
  report(progress: Progress): void;
  note(text: string): void;
  /** Ends the line under way. */
  end(): void;
}

const barWidth = 24;
/** A terminal is redrawn at most this often; elsewhere a line comes at each tenth, but not more often than this. */
const redrawMs = 100;
const lineMs = 2000;

/** A bar on a terminal, sparse lines elsewhere, nothing when `quiet`. */
export function createProgressDisplay(
  stream: ProgressStream,
  quiet: boolean,
  now: () => number = Date.now,
): ProgressDisplay {
  if (quiet) return { report() {}, note() {}, end() {} };
  let phase = '';
  let phaseStart = 0;
  let firstDone = 0;
  let lastDraw = 0;
  let lastTenth = -1;
  let open = false;

  const end = () => {
    if (open) stream.write('\n');
    open = false;
  };

  const report = (progress: Progress) => {
    const time = now();
    if (progress.phase !== phase) {
      end();
      phase = progress.phase;
      phaseStart = time;
      firstDone = progress.done;
      lastDraw = Number.NEGATIVE_INFINITY;
      lastTenth = -1;
    }
    const complete = progress.done >= progress.total;
    const fraction = progress.total > 0 ? Math.min(1, progress.done / progress.total) : 1;
    const left = timeLeft(progress, firstDone, time - phaseStart);
    const counted =
      progress.unit === 'bytes'
        ? `${megabytes(progress.done)}/${megabytes(progress.total)} MB${rate(progress.done - firstDone, time - phaseStart)}`
        : `${group(progress.done)}/${group(progress.total)} ${progress.unit}`;
    if (stream.isTTY) {
      if (!complete && time - lastDraw < redrawMs) return;
      lastDraw = time;
      const filled = Math.round(fraction * barWidth);
      const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled);
      const text = `${phase} ${bar} ${percent(fraction)}  ${counted}${complete ? `, ${duration(time - phaseStart)}` : left}`;
      stream.write(`\r\x1b[K${text.slice(0, (stream.columns ?? 80) - 1)}`);
      open = true;
      if (complete) end();
      return;
    }
    const tenth = Math.floor(fraction * 10);
    if (tenth === lastTenth || (!complete && time - lastDraw < lineMs && lastTenth >= 0)) return;
    lastTenth = tenth;
    lastDraw = time;
    stream.write(`${phase} ${percent(fraction)}, ${counted}${complete ? '' : left}\n`);
  };

  const note = (text: string) => {
    if (open) stream.write('\r\x1b[K');
    open = false;
    stream.write(`${text}\n`);
    lastDraw = Number.NEGATIVE_INFINITY;
  };

  return { report, note, end };
}

/** `, about 2 min left` once enough is done to say so. */
function timeLeft(progress: Progress, firstDone: number, elapsed: number): string {
  const done = progress.done - firstDone;
  if (done <= 0 || elapsed < 1000) return '';
  return `, about ${duration((elapsed / done) * (progress.total - progress.done))} left`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** `, 4.2 MB/s` once there is something to go by. */
function rate(bytes: number, elapsed: number): string {
  return bytes > 0 && elapsed >= 1000 ? `, ${((bytes / elapsed) * 1e-3).toFixed(1)} MB/s` : '';
}

function percent(fraction: number): string {
  return `${Math.floor(fraction * 100)} %`;
}

function group(count: number): string {
  return String(Math.floor(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A span of time as a person says it. */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
