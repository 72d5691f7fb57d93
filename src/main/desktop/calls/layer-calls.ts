import { setImmediate as nextTurn } from 'node:timers/promises';
import { Problem, throwIfCancelled } from '../../../worker/report/problem.ts';
import { layerPath } from '../../export/layer-writers.ts';
import { checkTarget } from '../../export/staged-file.ts';
import { qmlStyle, sldStyle } from '../../export/style.ts';
import type { ExportJobRequest } from '../../jobs/export-job.ts';
import type { LayerBounds, LayerPolygon } from '../../project/layer-reader.ts';
import { storedForm } from '../../project/stored-crs.ts';
import type { Box } from '../../rpc/base.ts';
import type { ExportRequest, Polygon } from '../../rpc/layers.ts';
import { betweenOrThrow, projectBox, projectLine } from '../coordinates.ts';
import type { Desktop } from '../desktop.ts';
import { simplifiedInBox, unitsPerMetre } from '../layer-simplification.ts';
import { touchesBox } from '../polygon-box.ts';
import { systemNamed } from '../systems.ts';
import { calls } from './base.ts';

export function layerCalls(desktop: Desktop) {
  const systemOf = (crs: string) => systemNamed(crs, desktop.project.crs());
  const intoLayer = (table: string, crs: string) =>
    betweenOrThrow(systemOf(crs), desktop.store.polygons.crs(table));
  const outOfLayer = (table: string, crs: string) =>
    betweenOrThrow(desktop.store.polygons.crs(table), systemOf(crs));
  /** An edit of a layer that the screen may name. */
  const edit = <Result>(table: string, work: () => Result): Result => {
    desktop.store.polygons.check(table);
    const result = work();
    desktop.changed();
    return result;
  };

  /** Polygons that touch the box of `crs`, their rings in it. */
  async function* within(
    table: string,
    crs: string,
    box: Box,
    bounds: LayerBounds,
    hidden: readonly number[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<LayerPolygon> {
    const { polygons } = desktop.store;
    const own = projectBox(box, intoLayer(table, crs));
    if (!own) return;
    const toScreen = outOfLayer(table, crs);
    let count = 0;
    for (const polygon of polygons.polygons(table, polygons.inBox(table, own, bounds))) {
      // The host answers others in between.
      if (++count % 500 === 0) {
        await nextTurn();
        throwIfCancelled(signal);
      }
      if (hidden.includes(polygon.classId)) continue;
      const rings = polygon.rings.map((ring) => projectLine(ring, toScreen));
      if (touchesBox(rings, box)) yield { ...polygon, rings };
    }
  }

  return {
    at: calls.layers.at.handler(async ({ input, signal }) => {
      const { layer, crs, box, filter, hidden = [], limit } = input;
      const found: LayerPolygon[] = [];
      for await (const polygon of within(layer, crs, box, filter, hidden, signal)) {
        found.push(polygon);
        if (found.length >= limit) break;
      }
      // Small ones would be hidden by those around them.
      return found.sort((a, b) => a.area - b.area).map(plain);
    }),
    touching: calls.layers.touching.handler(async ({ input, signal }) => {
      const { layer, crs, box, filter, hidden = [] } = input;
      const fids: number[] = [];
      for await (const { fid } of within(layer, crs, box, filter, hidden, signal)) fids.push(fid);
      return fids;
    }),
    polygon: calls.layers.polygon.handler(({ input }) => {
      const { layer, fid, crs } = input;
      const polygon = desktop.store.polygons.polygon(layer, fid);
      const toScreen = outOfLayer(layer, crs);
      return plain({ ...polygon, rings: polygon.rings.map((ring) => projectLine(ring, toScreen)) });
    }),
    extent: calls.layers.extent.handler(({ input }) => {
      const extent = desktop.store.polygons.extent(input.layer, input.fids);
      return extent && projectBox(extent, outOfLayer(input.layer, input.crs));
    }),
    changeClass: calls.layers.changeClass.handler(({ input }) =>
      edit(input.layer, () => desktop.store.edits.changeClass(input.layer, input.fids, input.classId)),
    ),
    remove: calls.layers.remove.handler(({ input }) =>
      edit(input.layer, () => desktop.store.edits.remove(input.layer, input.fids)),
    ),
    merge: calls.layers.merge.handler(({ input }) =>
      edit(input.layer, () => ({ fid: desktop.store.edits.merge(input.layer, input.fids) })),
    ),
    split: calls.layers.split.handler(({ input }) =>
      edit(input.layer, () => {
        const line = projectLine(input.line, intoLayer(input.layer, input.crs));
        return { fids: desktop.store.edits.split(input.layer, input.fid, line) };
      }),
    ),
    reshape: calls.layers.reshape.handler(({ input }) =>
      edit(input.layer, () => {
        const toLayer = intoLayer(input.layer, input.crs);
        const rings = input.rings.map((ring) => projectLine(ring, toLayer));
        desktop.store.edits.reshape(input.layer, input.fid, rings);
      }),
    ),
    style: calls.layers.style.handler(({ input }) =>
      edit(input.layer, () => {
        const { edits } = desktop.store;
        const classes = edits
          .classes(input.layer)
          .map((entry) => ({ ...entry, ...input.classes.find(({ id }) => id === entry.id) }));
        const style = { qml: qmlStyle(classes), sld: sldStyle(input.layer, classes) };
        edits.restyle(input.layer, input.classes, style, input.label);
      }),
    ),
    rename: calls.layers.rename.handler(({ input }) =>
      edit(input.layer, () => desktop.store.edits.rename(input.layer, input.name)),
    ),
    drop: calls.layers.drop.handler(({ input }) =>
      edit(input.layer, () => desktop.store.edits.drop(input.layer)),
    ),
    export: calls.layers.export.handler(async ({ input }) => {
      desktop.store.polygons.check(input.layer);
      const out = await desktop.allowed.check(input.out);
      await checkTargets(out, input);
      const { crs, simplify, ...asked } = input;
      const tolerance = simplify * unitsPerMetre(desktop.store.polygons.crs(input.layer));
      // The system is kept as it is now, whatever the project's may be when the job runs.
      const request: ExportJobRequest = {
        ...asked,
        out,
        tolerance,
        crs: crs === null ? null : storedForm(systemOf(crs)),
      };
      return { jobId: desktop.jobs.queue.add('export', request) };
    }),
    simplified: calls.layers.simplified.handler(async ({ input, signal }) => {
      const { layer, crs, box, metres } = input;
      const own = projectBox(box, intoLayer(layer, crs));
      if (!own) return { before: 0, after: 0, polygons: [] };
      const { before, after, polygons } = await simplifiedInBox(desktop.store, layer, own, metres, signal);
      const toScreen = outOfLayer(layer, crs);
      return {
        before,
        after,
        polygons: polygons.map((rings) => rings.map((ring) => Array.from(projectLine(ring, toScreen)))),
      };
    }),
    difference: calls.layers.difference.handler(({ input }) => {
      desktop.store.polygons.check(input.first);
      desktop.store.polygons.check(input.second);
      return { jobId: desktop.jobs.queue.add('difference', input) };
    }),
  };
}

/** Says at once what the job would find: that folders are closed, or files there already. */
async function checkTargets(out: string, { formats, overwrite }: ExportRequest): Promise<void> {
  const there: string[] = [];
  for (const format of formats) {
    const target = layerPath(out, format);
    await checkTarget(target, { overwrite }).catch((error: unknown) => {
      if (!(error instanceof Problem) || error.code !== 'output/exists') throw error;
      there.push(target);
    });
  }
  if (there.length > 0)
    throw new Problem('output/exists', `There already: ${there.join(', ')}`, 'Choose another name.');
}

function plain({ rings, ...polygon }: LayerPolygon): Polygon {
  return { ...polygon, rings: rings.map((ring) => Array.from(ring)) };
}
