import { removePack, verifyInstalled } from '../../packs/installed.ts';
import type { Desktop } from '../desktop.ts';
import { describePacks, folderOfPack } from '../pack-facts.ts';
import { calls } from './base.ts';
import { notReady } from './scene-calls.ts';

export function packCalls(desktop: Desktop) {
  return {
    list: calls.packs.list.handler(() => describePacks(desktop.home)),
    install: calls.packs.install.handler(() => {
      throw notReady();
    }),
    verify: calls.packs.verify.handler(async ({ input, signal }) =>
      verifyInstalled(await folderOfPack(input.name, desktop.home), { signal }),
    ),
    remove: calls.packs.remove.handler(async ({ input }) => {
      await removePack(input.name, desktop.home);
    }),
  };
}
