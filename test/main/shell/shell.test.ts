import { mkdtempSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { fakeElectron } from './fake-electron.ts';

const root = path.resolve(import.meta.dirname, '../../..');

/** A shell that has just started, in a home of its own. */
async function started(argv: string[] = []) {
  const fake = fakeElectron();
  vi.resetModules();
  vi.doMock('electron', () => fake.electron);
  vi.stubEnv('LANDSCRIBE_HOME', mkdtempSync(path.join(tmpdir(), 'landscribe-shell-')));
  const before = process.argv;
  process.argv = ['electron', ...argv];
  const { startShell } = await import('../../../src/main/shell/shell.ts');
  startShell();
  process.argv = before;
  await new Promise((resolve) => setImmediate(resolve));
  return fake;
}

const ours = { senderFrame: { url: 'landscribe://app/index.html' } };
const foreign = { senderFrame: { url: 'https://evil.example/' } };

beforeEach(() => {
  vi.unstubAllEnvs();
  vi.doUnmock('electron');
});

describe('the window', () => {
  it('gives its page nothing but a page', async () => {
    const { windows } = await started();
    const { webPreferences } = windows[0]!.options;
    expect(webPreferences).toMatchObject({
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
    });
    expect(windows[0]!.url).toBe('landscribe://app/');
  });

  it('closes permissions, navigation, windows and the network', async () => {
    const { windows, permission } = await started();
    const { webContents } = windows[0]!;
    const answers: [string, boolean][] = [];
    for (const what of ['media', 'geolocation', 'notifications', 'openExternal', 'fullscreen', 'usb'])
      permission.request!(null, what, (yes) => answers.push([what, yes]));
    expect(answers.filter(([, yes]) => yes).map(([what]) => what)).toEqual(['fullscreen']);
    expect(permission.check!(null, 'media')).toBe(false);
    expect(permission.device!()).toBe(false);
    expect(webContents.openHandler!()).toEqual({ action: 'deny' });
    for (const name of ['will-navigate', 'will-frame-navigate', 'will-redirect', 'will-attach-webview']) {
      const event = { url: 'https://evil.example/', preventDefault: vi.fn() };
      webContents.emit(name, event);
      expect(event.preventDefault, name).toHaveBeenCalledOnce();
    }
    const stay = { url: 'landscribe://app/', preventDefault: vi.fn() };
    webContents.emit('will-navigate', stay);
    expect(stay.preventDefault).not.toHaveBeenCalled();
    const asked = (url: string) => {
      let cancelled: boolean | null = null;
      permission.before!({ url }, ({ cancel }) => {
        cancelled = cancel;
      });
      return cancelled;
    };
    expect(asked('https://tiles.example/1.png')).toBe(true);
    expect(asked('file:///etc/passwd')).toBe(true);
    expect(asked('landscribe://app/assets/a.js')).toBe(false);
  });

  it('has a policy without a way for foreign or made-up scripts', async () => {
    const { contentPolicy } = await import('../../../src/main/serve/screen-files.ts');
    const rules = new Map(
      contentPolicy.split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1)]),
    );
    expect(rules.get('default-src')).toEqual(["'none'"]);
    expect(rules.get('script-src')).toEqual(["'self'"]);
    expect(rules.get('connect-src')).toEqual(["'self'"]);
    expect(rules.get('frame-ancestors')).toEqual(["'none'"]);
    expect(contentPolicy).not.toMatch(/unsafe-eval|https?:|\*/);
  });

  it('is placed where it was, unless no screen shows that any more', async () => {
    const { readPlace } = await import('../../../src/main/shell/window-state.ts');
    const { writeFileSync } = await import('node:fs');
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'landscribe-place-')), 'window.json');
    const area = { x: 0, y: 0, width: 1920, height: 1080 };
    const place = { x: 100, y: 50, width: 1000, height: 700, maximised: false };
    writeFileSync(file, JSON.stringify(place));
    expect(readPlace(file, [area])).toEqual(place);
    writeFileSync(file, JSON.stringify({ ...place, x: 5000 }));
    expect(readPlace(file, [area])).toEqual({ width: 1000, height: 700, maximised: false });
    writeFileSync(file, 'not json');
    expect(readPlace(file, [area]).width).toBeGreaterThan(400);
  });
});

describe('the host behind the window', () => {
  it('is one process, reached by a port of the page', async () => {
    const { windows, processes, ipc } = await started();
    expect(processes).toHaveLength(1);
    expect(processes[0]!.file).toMatch(/host\.js$/);
    const { webContents } = windows[0]!;
    ipc.emit('connect', { ...ours, sender: webContents });
    expect(webContents.posted[0]).toMatchObject({ channel: 'port' });
    expect(processes[0]!.process.received[0]!.message).toEqual({ kind: 'connect' });
    expect(processes[0]!.process.received[0]!.ports).toHaveLength(1);
    ipc.emit('connect', { ...foreign, sender: webContents });
    expect(webContents.posted).toHaveLength(1);
  });

  it('is started again with its project when it ends, and the page and the user are told', async () => {
    const { windows, processes, dialog } = await started();
    processes[0]!.process.emit('message', { project: '/maps/cologne.gpkg' });
    processes[0]!.process.emit('exit', 139);
    expect(processes).toHaveLength(2);
    expect(processes[1]!.args).toEqual(['--project', '/maps/cologne.gpkg']);
    expect(windows[0]!.webContents.sent).toContainEqual(['host-ended']);
    expect(dialog.showErrorBox).toHaveBeenCalledOnce();
  });

  it('is given up when it only ever ends', async () => {
    const { processes, app } = await started();
    for (let i = 0; i < 5 && i < processes.length; i++) processes[i]!.process.emit('exit', 1);
    expect(processes.length).toBeLessThanOrEqual(3);
    expect(app.quit).toHaveBeenCalled();
  });

  it('draws what the page asks for under its own protocol; nothing else is served', async () => {
    const { protocolHandlers, processes } = await started();
    const handle = protocolHandlers.get('landscribe')!;
    const reply = handle(new Request('landscribe://app/tiles/scene/1/3/4/5?crs=EPSG%3A3857'));
    const { message } = processes[0]!.process.received.at(-1)!;
    expect(message).toMatchObject({ kind: 'fetch', path: '/tiles/scene/1/3/4/5', query: '?crs=EPSG%3A3857' });
    const body = new Uint8Array([1, 2, 3]);
    const answer = { status: 200, type: 'image/png', body, headers: { 'Cache-Control': 'private' } };
    processes[0]!.process.emit('message', { id: message.id, reply: answer });
    const drawn = await reply;
    expect(drawn.headers.get('content-type')).toBe('image/png');
    expect(new Uint8Array(await drawn.arrayBuffer())).toEqual(body);
    expect((await handle(new Request('landscribe://other/index.html'))).status).toBe(403);
    expect((await handle(new Request('landscribe://app/../../etc/passwd'))).status).toBe(404);
    expect((await handle(new Request('landscribe://app/%2e%2e/package.json'))).status).toBe(404);
  });

  it('answers what was asked of a host that ended', async () => {
    const { protocolHandlers, processes } = await started();
    const reply = protocolHandlers.get('landscribe')!(new Request('landscribe://app/live/a.png'));
    processes[0]!.process.emit('exit', 1);
    expect((await reply).status).toBe(503);
  });
});

describe('one instance', () => {
  it('leaves the second to the first, which opens its project', async () => {
    const { app, windows } = await started();
    app.emit('second-instance', {}, ['electron', 'main.js', '--flag', '/maps/a.gpkg']);
    expect(windows[0]!.webContents.sent).toContainEqual(['open', '/maps/a.gpkg']);
    const second = fakeElectron();
    second.app.requestSingleInstanceLock.mockReturnValue(false);
    vi.resetModules();
    vi.doMock('electron', () => second.electron);
    const { startShell } = await import('../../../src/main/shell/shell.ts');
    startShell();
    await new Promise((resolve) => setImmediate(resolve));
    expect(second.app.quit).toHaveBeenCalledOnce();
    expect(second.windows).toHaveLength(0);
  });

  it('opens the project it was started with', async () => {
    const { processes } = await started(['main.js', '/maps/b.gpkg']);
    expect(processes[0]!.args).toEqual(['--project', '/maps/b.gpkg']);
  });
});

describe('dialogs and menu', () => {
  const request = { kind: 'open', title: 'Open', multiple: true, filters: [], suggested: null };

  it('are the system’s, for our own page alone', async () => {
    const { handlers, dialog } = await started();
    const choose = handlers.get('choose-files')!;
    expect(await choose(ours, request)).toEqual(['/a.tif']);
    expect(await choose(ours, { ...request, kind: 'save' })).toBeNull();
    expect(await choose(foreign, request)).toBeNull();
    expect(await choose(ours, { kind: 'other' })).toBeNull();
    expect(dialog.showOpenDialog).toHaveBeenCalledOnce();
    expect(await choose(ours, { ...request, kind: 'folder' })).toEqual(['/a.tif']);
    expect(dialog.showOpenDialog).toHaveBeenLastCalledWith(
      expect.anything(),
      expect.objectContaining({ properties: expect.arrayContaining(['openDirectory']) }),
    );
  });

  it('sends commands that the screen has', async () => {
    const { menuTemplate } = await import('../../../src/main/shell/menu.ts');
    const sent: string[] = [];
    const template = menuTemplate('darwin', (id) => sent.push(id));
    expect(template[0]).toEqual({ role: 'appMenu' });
    for (const { submenu } of template)
      if (Array.isArray(submenu)) for (const item of submenu) (item.click as unknown as () => void)?.();
    const known = readFileSync(path.join(root, 'src/renderer/commands/commands.ts'), 'utf8');
    expect(sent.length).toBeGreaterThan(5);
    for (const id of sent) expect(known, id).toContain(`'${id}'`);
  });
});

describe('the preload', () => {
  it('offers the page these calls and no more', () => {
    const code = stripTypeScriptTypes(readFileSync(path.join(root, 'src/main/shell/preload.cts'), 'utf8'));
    const exposed: Record<string, Record<string, unknown>> = {};
    const listeners = new Map<string, (event: { ports: unknown[] }) => void>();
    const electron = {
      contextBridge: {
        exposeInMainWorld: (name: string, calls: Record<string, unknown>) => {
          exposed[name] = calls;
        },
      },
      ipcRenderer: {
        on: (channel: string, listener: (event: { ports: unknown[] }) => void) =>
          listeners.set(channel, listener),
      },
      webUtils: {},
    };
    const posted: unknown[] = [];
    const page = {
      location: { origin: 'landscribe://app' },
      postMessage: (...all: unknown[]) => posted.push(all),
    };
    new Function('require', 'globalThis', code)(() => electron, page);
    expect(Object.keys(exposed)).toEqual(['landscribe']);
    expect(Object.keys(exposed.landscribe!).sort()).toEqual([
      'chooseFiles',
      'onCommand',
      'onHostEnded',
      'onOpen',
      'pathOf',
      'requestPort',
    ]);
    listeners.get('port')!({ ports: ['port'] });
    expect(posted).toEqual([['landscribe-port', 'landscribe://app', ['port']]]);
  });
});
