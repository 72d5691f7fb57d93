import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { browserFile, closeBrowser, type OpenWindow, openWindow } from './window.ts';

export const cologne = path.resolve('../shared/data/scenes/oem_koeln_50.tif');

/** Whether the browser or one of the files is missing; if so, says that `what` is not tested. */
export function cannotTest(what: string, ...files: readonly string[]): boolean {
  const missing = [...(browserFile ? [] : ['Chromium']), ...files.filter((file) => !existsSync(file))];
  if (missing.length > 0) console.log(`${what} is not tested: ${missing.join(' and ')} is missing.`);
  return missing.length > 0;
}

/**
 * A window on a new folder that `prepare` fills, open while the tests of the surrounding `describe` run; empty until
 * then. `begin` is what the window does first.
 */
export function suiteWindow(
  prepare: (folder: string) => void | Promise<void>,
  begin: (window: OpenWindow) => Promise<void> = async () => {},
): OpenWindow {
  const window = {} as OpenWindow;
  let folder: string | null = null;
  let opened: OpenWindow | null = null;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'landscribe-screen-'));
    await prepare(folder);
    opened = await openWindow(folder);
    Object.assign(window, opened);
    await begin(window);
  }, 600_000);
  afterAll(async () => {
    await opened?.close();
    await closeBrowser();
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  });
  return window;
}
