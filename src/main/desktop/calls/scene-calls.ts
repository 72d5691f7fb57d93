import { Problem } from '../../../worker/report/problem.ts';
import { storedForm } from '../../project/stored-crs.ts';
import { runShift } from '../../run/shift.ts';
import type { Desktop } from '../desktop.ts';
import { displayOf } from '../open-project.ts';
import { folderOfPack } from '../pack-facts.ts';
import { describePreparation } from '../radar-facts.ts';
import { sceneInfoOf } from '../raster-facts.ts';
import { systemNamed } from '../systems.ts';
import { calls } from './base.ts';

export function sceneCalls(desktop: Desktop) {
  return {
    info: calls.scenes.info.handler(async ({ input }) => {
      const facts = await desktop.facts.get(await desktop.allowed.checkScene(input.path));
      return sceneInfoOf(facts, facts.crs, desktop.open?.crs() ?? null);
    }),
    add: calls.scenes.add.handler(async ({ input }) => {
      const files = await Promise.all(input.paths.map((file) => desktop.allowed.checkScene(file)));
      // Whatever cannot be read is told before anything changes.
      const facts = await Promise.all(files.map((file) => desktop.facts.get(file)));
      const project = await desktop.ensureProject();
      const first = facts[0]!;
      const ids = await project.store.addScenes(
        files,
        project.hasCrs() ? {} : { crs: storedForm(first.crs) },
      );
      desktop.changed();
      return ids;
    }),
    remove: calls.scenes.remove.handler(({ input }) => {
      desktop.store.removeScene(input.id);
      desktop.changed();
    }),
    change: calls.scenes.change.handler(({ input }) => {
      const { id, name, style, crs, display, modality, radar, label } = input;
      const { project } = desktop;
      const host = {
        ...displayOf(project.scene(id)),
        ...(style && { style }),
        ...(display && { screen: display }),
      };
      if (modality === null) delete host.modality;
      else if (modality !== undefined) host.modality = modality;
      if (radar === null) delete host.radar;
      else if (radar !== undefined) host.radar = radar;
      if (crs === null) delete host.crs;
      else if (crs !== undefined) {
        if (crs === 'OTHER')
          throw new Problem(
            'crs/unknown',
            'There is no system to assign.',
            'Choose a system with an EPSG code.',
          );
        host.crs = storedForm(systemNamed(crs, project.crs()));
      }
      const changesDisplay = [style, display, crs, modality, radar].some((value) => value !== undefined);
      project.saveScene(id, { name, ...(changesDisplay && { host }) }, label);
      desktop.changed();
    }),
    statistics: calls.scenes.statistics.handler(({ input, signal }) =>
      desktop.tiles.sceneStatistics(desktop.project.scene(input.id).path, input.bands, signal),
    ),
    identify: calls.scenes.identify.handler(({ input }) => {
      const { project } = desktop;
      const raster = project.rasterOfScene(input.id);
      return desktop.tiles.identify(raster, systemNamed(input.crs, project.crs()), input.x, input.y);
    }),
    preparation: calls.scenes.preparation.handler(async ({ input, signal }) => {
      const { project } = desktop;
      const facts = await project.sceneFacts(project.scene(input.id));
      return describePreparation(facts, await folderOfPack(input.pack, desktop.home), signal);
    }),
    shift: calls.scenes.shift.handler(async ({ input, signal }) => {
      const { project } = desktop;
      const [first, second] = [project.scene(input.first), project.scene(input.second)];
      const found = await runShift({ first: first.path, second: second.path }, { signal });
      const { east, north, columns, rows, confidence, windows } = found;
      return { east, north, pixels: Math.hypot(columns, rows), confidence, windows };
    }),
  };
}
