import { Command } from 'commander';
import type { Console } from './console.ts';
import { sceneArgument } from './options.ts';

export function infoCommand(door: Console): Command {
  return new Command('info')
    .description('Tell size, bands, type, CRS, resolution, extent, nodata and overviews of a scene.')
    .addArgument(sceneArgument())
    .option('--json', 'print one JSON object instead of text')
    .action(async (scene: string, options: { json?: boolean }) => {
      const { describeScene, formatSceneInfo } = await import('../../worker/steps/info.ts');
      const info = await describeScene(scene, door.signal);
      door.print(options.json ? JSON.stringify(info, null, 2) : formatSceneInfo(info));
    });
}
