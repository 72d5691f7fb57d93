import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { app, BrowserWindow, dialog, ipcMain, Menu, protocol, screen, session } from 'electron';
import * as z from 'zod';
import { homeOf } from '../packs/home.ts';
import { contentPolicy, screenFile } from '../serve/screen-files.ts';
import { HostProcess } from './host-process.ts';
import { menuTemplate } from './menu.ts';
import { lockDown, screenOrigin, windowOptions } from './window-options.ts';
import { readPlace, savePlace } from './window-state.ts';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const fileRequest = z.object({
  kind: z.enum(['open', 'save', 'folder']),
  title: z.string().max(500),
  multiple: z.boolean(),
  filters: z.array(z.object({ name: z.string(), extensions: z.array(z.string()) })).max(20),
  suggested: z.string().nullable(),
});

/** Runs the desktop door: one instance, one window, the host in its own process. */
export function startShell(): void {
  if (!app.requestSingleInstanceLock()) {
    app.quit();
    return;
  }
  // Before the app is ready: the scheme is an origin with everything that a secure page may have.
  protocol.registerSchemesAsPrivileged([
    {
      scheme: 'landscribe',
      privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true },
    },
  ]);
  let window: BrowserWindow | null = null;
  /** A project to be opened once there is a window. */
  let waiting: string | null = projectAmong(process.argv);
  const open = (file: string | null) => {
    if (file === null) return;
    if (window) window.webContents.send('open', file);
    else waiting = file;
  };
  app.on('second-instance', (_event, argv) => {
    open(projectAmong(argv));
    if (window?.isMinimized()) window.restore();
    window?.focus();
  });
  app.on('open-file', (event, file) => {
    event.preventDefault();
    open(file);
  });
  app.on('window-all-closed', () => app.quit());
  void app.whenReady().then(() => {
    const home = homeOf();
    mkdirSync(home.folder, { recursive: true });
    const host = new HostProcess(here('../host.js'), waiting, (code, startsAgain) => {
      window?.webContents.send('host-ended');
      const what = startsAgain
        ? 'It is started again, with the project that was open. Interrupted jobs can be resumed from the list of jobs.'
        : 'It ends as soon as it is started. Nothing that was saved is lost; install Landscribe again.';
      dialog.showErrorBox(`Landscribe's host ended with code ${code}`, what);
      if (!startsAgain) app.quit();
    });
    serveScreen(host);
    window = openWindow(path.join(home.folder, 'window.json'));
    listen(window, host);
    Menu.setApplicationMenu(
      Menu.buildFromTemplate(menuTemplate(process.platform, (id) => window?.webContents.send('command', id))),
    );
    window.on('closed', () => {
      window = null;
    });
    let closed = false;
    app.on('before-quit', (event) => {
      if (closed) return;
      event.preventDefault();
      void host.close().finally(() => {
        closed = true;
        app.quit();
      });
    });
  });
}

/** Files of the screen from its folder, what is drawn from the host, nothing else. */
function serveScreen(host: Pick<HostProcess, 'fetch'>): void {
  session.defaultSession.protocol.handle('landscribe', async (request) => {
    const url = new URL(request.url);
    const headers = {
      'Content-Security-Policy': contentPolicy,
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
    };
    if (url.origin !== screenOrigin && url.host !== 'app')
      return new Response(null, { status: 403, headers });
    if (/^\/(tiles|columns|live)\//.test(url.pathname)) {
      const reply = await host.fetch(url.pathname, url.search);
      const body = reply.body && new Uint8Array(reply.body);
      return new Response(body, {
        status: reply.status === 499 ? 503 : reply.status,
        headers: { ...headers, 'Content-Type': reply.type, ...reply.headers },
      });
    }
    const file = await screenFile(url.pathname);
    if (!file) return new Response(null, { status: 404, headers });
    return new Response(new Uint8Array(file.body), { headers: { ...headers, 'Content-Type': file.type } });
  });
}

function openWindow(placeFile: string): BrowserWindow {
  const place = readPlace(
    placeFile,
    screen.getAllDisplays().map(({ workArea }) => workArea),
  );
  const window = new BrowserWindow(windowOptions(place, here('./preload.cjs')));
  lockDown(window.webContents, session.defaultSession);
  if (place.maximised) window.maximize();
  window.once('ready-to-show', () => window.show());
  window.on('close', () => savePlace(placeFile, window));
  void window.loadURL(`${screenOrigin}/`);
  return window;
}

/** The preload's calls; only the window's own page may make them. */
function listen(window: BrowserWindow, host: HostProcess): void {
  const isOurs = (event: { senderFrame: { url: string } | null }) =>
    event.senderFrame?.url.startsWith(`${screenOrigin}/`) ?? false;
  ipcMain.on('connect', (event) => {
    if (isOurs(event)) event.sender.postMessage('port', null, [host.connect()]);
  });
  ipcMain.handle('choose-files', async (event, input: unknown) => {
    const parsed = fileRequest.safeParse(input);
    if (!isOurs(event) || !parsed.success) return null;
    const { kind, title, multiple, filters, suggested } = parsed.data;
    const common = { title, filters, ...(suggested !== null && { defaultPath: suggested }) };
    if (kind === 'save') {
      const { canceled, filePath } = await dialog.showSaveDialog(window, common);
      return canceled || !filePath ? null : [filePath];
    }
    const properties = [
      kind === 'folder' ? ('openDirectory' as const) : ('openFile' as const),
      ...(multiple ? ['multiSelections' as const] : []),
    ];
    const { canceled, filePaths } = await dialog.showOpenDialog(window, { ...common, properties });
    return canceled || filePaths.length === 0 ? null : filePaths;
  });
}

/** The project file among a command line's words. */
function projectAmong(argv: readonly string[]): string | null {
  const found = argv.slice(1).findLast((word) => !word.startsWith('-') && /\.gpkg$/i.test(word));
  return found === undefined ? null : path.resolve(found);
}
