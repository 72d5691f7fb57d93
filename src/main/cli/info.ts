import { Command } from 'commander';
import type { Console } from './console.ts';

export function infoCommand(door: Console): Command {
  return new Command('info')
    .description('Tell size, bands, type, CRS, resolution, extent, nodata and overviews of a scene.')
    .argument(
      '<scene>',
      'GeoTIFF, JPEG 2000, PNG, JPEG, a Sentinel product, or bands joined by +: red.tif+green.tif+blue.tif',
    )
    .option('--json', 'print one JSON object instead of text')
    .action(async (scene: string, options: { json?: boolean }) => {
      const { createApp } = await import('../app.ts');
      const { text, info } = await createApp().info(scene, { signal: door.signal });
      door.print(options.json ? JSON.stringify(info, null, 2) : text);
    });
}
