import { removePack, verifyInstalled } from '../../packs/installed.ts';
import type { Desktop } from '../desktop.ts';
import { describePacks, folderOfPack } from '../pack-facts.ts';
import { calls } from './base.ts';

export function packCalls(desktop: Desktop) {
  return {
    list: calls.packs.list.handler(() => describePacks(desktop.home)),
    install: calls.packs.install.handler(async ({ input }) => {
      const from = input.from === null ? null : await desktop.allowed.check(input.from);
      await desktop.ensureProject();
      return {
        jobId: desktop.jobs.queue.add('install', { name: input.name, from, precision: input.precision }),
      };
    }),
    verify: calls.packs.verify.handler(async ({ input, signal }) =>
      verifyInstalled(await folderOfPack(input.name, desktop.home), { signal }),
    ),
    remove: calls.packs.remove.handler(async ({ input }) => {
      await removePack(input.name, desktop.home);
    }),
  };
}
