import path from 'node:path';
import { _electron, type Page } from 'playwright-core';
import { electronBinary } from '../../src/main/start.ts';
import type { Door } from '../main/serve/door.ts';

export interface DesktopWindow {
  page: Page;
  door: Door;
  /** What the system's next dialogs answer. */
  answer(file: string): Promise<void>;
}

/** The desktop door with a home of its own, built by `npm run build`. For `npm run test:electron`, where Electron's binary is. */
export async function openDesktop(home: string): Promise<DesktopWindow> {
  const executablePath = electronBinary();
  if (executablePath === null) throw new Error('Electron’s binary is not here');
  const entry = path.resolve(import.meta.dirname, '../../dist/main/electron.js');
  const app = await _electron.launch({
    executablePath,
    args: [entry, '--no-sandbox', `--user-data-dir=${path.join(home, 'electron')}`],
    env: { ...(process.env as Record<string, string>), LANDSCRIBE_HOME: home },
  });
  const page = await app.firstWindow();
  await page.waitForLoadState();
  await page.setViewportSize({ width: 1400, height: 900 });
  const child = app.process();
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  return {
    page,
    door: {
      url: page.url(),
      origin: 'landscribe://app',
      home,
      process: child,
      async end(signal) {
        if (signal) child.kill(signal);
        else await app.close();
        return ended;
      },
    },
    answer: (file) =>
      app.evaluate(({ dialog }, chosen) => {
        dialog.showOpenDialog = async () => ({ canceled: false, filePaths: [chosen] });
        dialog.showSaveDialog = async () => ({ canceled: false, filePath: chosen });
      }, file),
  };
}
