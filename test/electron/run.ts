import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { electronBinary } from '../../src/main/start.ts';

// The desktop itself, where Electron's binary is: window, preload, host process and protocol together, then the suite of the
// screen in its window.
const root = path.resolve(import.meta.dirname, '../..');
const entry = path.join(root, 'dist/main/electron.js');
const binary = electronBinary();
if (binary === null) {
  process.stdout.write('skipped: Electron’s binary is not here (npx install-electron fetches it)\n');
} else if (!existsSync(entry)) {
  process.stderr.write('The desktop is not built: run npm run build.\n');
  process.exitCode = 1;
} else {
  const { _electron } = await import('playwright-core');
  const home = mkdtempSync(path.join(tmpdir(), 'landscribe-electron-'));
  const app = await _electron.launch({
    executablePath: binary,
    args: [entry],
    env: { ...(process.env as Record<string, string>), LANDSCRIBE_HOME: home },
  });
  const check = (what: string, holds: boolean) => {
    process.stdout.write(`${holds ? 'ok' : 'FAILED'}  ${what}\n`);
    if (!holds) process.exitCode = 1;
  };
  try {
    const page = await app.firstWindow();
    await page.waitForLoadState();
    check('the screen is loaded from its own origin', page.url().startsWith('landscribe://app/'));
    const inPage = (code: string) => page.evaluate(code);
    check('the page has no Node', (await inPage('typeof require + typeof process')) === 'undefinedundefined');
    check(
      'the preload offers its calls',
      (await inPage('typeof window.landscribe?.requestPort')) === 'function',
    );
    const answered = await inPage(`new Promise((resolve) => {
      addEventListener('message', (event) => { if (event.data === 'landscribe-port') resolve(event.ports.length); });
      window.landscribe.requestPort();
    })`);
    check('a port to the host arrives', answered === 1);
    const foreign = await inPage("fetch('https://example.org/').then(() => 'loaded', () => 'refused')");
    check('the network is closed', foreign === 'refused');
    const missing = await inPage("fetch('/tiles/scene/1/0/0/0').then((reply) => reply.status)");
    check('tiles are asked of the host', typeof missing === 'number' && missing >= 400);
  } finally {
    await app.close();
  }
  const suite = ['main-loop', 'live', 'examples'].map((name) => `test/screen/${name}.test.ts`);
  const { status } = spawnSync(
    process.execPath,
    [path.join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...suite],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, LANDSCRIBE_DOOR: 'electron' },
    },
  );
  if (status !== 0) process.exitCode = 1;
}
