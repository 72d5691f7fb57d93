/**
 * The estimate before a run against the run: what two seconds of measuring say of each scene in both modes, and what it
 * takes then. By the clock, and by the processor time of all threads, which other work on the machine hardly touches.
 *
 *   node bench/estimate.ts SCENE[@METRES] … [--pack starter] [--classes "a; b"] [--parts] [--json]
 *
 * METRES: the working resolution.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { packFolder } from '../src/main/packs/home.ts';
import { durationOf, workloadOf } from '../src/main/run/estimate.ts';
import { runSegment } from '../src/main/run/segment.ts';
import { checkSegmentRequest } from '../src/main/run/segment-request.ts';
import { measuredSpeed } from '../src/main/run/speeds.ts';
import { parseClasses } from '../src/worker/classmap/classes.ts';
import { openPack } from '../src/worker/pack/open-pack.ts';
import { openScene } from '../src/worker/scene/open-scene.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pack: { type: 'string', default: 'starter' },
    classes: { type: 'string', default: 'building, roof; road; tree, forest; grass; water; bare soil' },
    parts: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
if (positionals.length === 0) {
  console.log('no scene is given: node bench/estimate.ts SCENE[@METRES] …');
  process.exit(0);
}
const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-bench-'));
const packAt = await packFolder(values.pack);
const pack = await openPack(packAt);
const rows: Record<string, unknown>[] = [];

/** Processor seconds of all threads of this process. */
function processor(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

try {
  for (const place of positionals) {
    const [file, metres] = place.split('@') as [string, string?];
    for (const mode of ['reference', 'fast'] as const) {
      const asked = {
        scene: file,
        pack: packAt,
        classes: parseClasses(values.classes),
        out: path.join(folder, 'result'),
        formats: ['gpkg' as const],
        overwrite: true,
        mode,
        resolution: metres === undefined ? null : Number(metres),
      };
      const scene = await openScene(file);
      const { grid, groundSampleDistance } = scene.header;
      await scene.close();
      const work = workloadOf(checkSegmentRequest(asked), pack, grid, groundSampleDistance);
      const speeds = {
        wall: await measuredSpeed(packAt, 'cpu', 'wall'),
        processor: await measuredSpeed(packAt, 'cpu', 'processor'),
      };
      const told = {
        seconds: durationOf(work, speeds.wall).seconds,
        processor: durationOf(work, speeds.processor).processor,
      };
      const started = performance.now();
      const before = processor();
      const summary = await runSegment(asked);
      const truth = { seconds: (performance.now() - started) / 1e3, processor: processor() - before };
      const row = {
        scene: path.basename(file),
        mode,
        windows: work.windows,
        seconds: [told.seconds, truth.seconds, told.seconds / truth.seconds],
        processor: [told.processor, truth.processor, told.processor / truth.processor],
        load: loadavg()[0],
        ...(values.parts && { work, speed: speeds.processor, polygons: summary.polygons }),
      };
      rows.push(row);
      if (values.json) continue;
      const compared = ([said, was, ratio]: number[]) =>
        `${said!.toFixed(1)} of ${was!.toFixed(1)} s (${ratio!.toFixed(2)})`;
      console.log(
        `${row.scene}, ${mode}, ${work.windows} windows: ${compared(row.seconds)}; processor ${compared(row.processor)}; load ${row.load!.toFixed(1)}`,
      );
      if (values.parts) console.log(JSON.stringify(row));
    }
  }
  if (values.json) console.log(JSON.stringify({ cores: availableParallelism(), rows }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
