import { EventEmitter } from 'node:events';
import { type Mock, vi } from 'vitest';

/** A message port that only remembers. */
class FakePort {
  started = false;
  start(): void {
    this.started = true;
  }
}

class FakeContents extends EventEmitter {
  readonly sent: unknown[][] = [];
  readonly posted: { channel: string; ports: unknown[] }[] = [];
  openHandler: (() => { action: string }) | null = null;
  send(...message: unknown[]): void {
    this.sent.push(message);
  }
  postMessage(channel: string, _message: unknown, ports: unknown[]): void {
    this.posted.push({ channel, ports });
  }
  setWindowOpenHandler(handler: () => { action: string }): void {
    this.openHandler = handler;
  }
}

class FakeUtilityProcess extends EventEmitter {
  readonly received: { message: Record<string, unknown>; ports: unknown[] }[] = [];
  postMessage(message: Record<string, unknown>, ports: unknown[] = []): void {
    this.received.push({ message, ports });
  }
}

interface FakeElectron {
  /** In the module's place. */
  electron: object;
  windows: (EventEmitter & {
    options: { webPreferences?: Record<string, unknown> };
    webContents: FakeContents;
    url: string;
  })[];
  processes: { file: string; args: string[]; process: FakeUtilityProcess }[];
  ipc: EventEmitter;
  handlers: Map<string, (event: unknown, input: unknown) => Promise<unknown>>;
  protocolHandlers: Map<string, (request: Request) => Promise<Response>>;
  permission: {
    request: null | ((contents: unknown, what: string, answer: (yes: boolean) => void) => void);
    check: null | ((contents: unknown, what: string) => boolean);
    device: null | (() => boolean);
    before: null | ((details: { url: string }, answer: (reply: { cancel: boolean }) => void) => void);
  };
  app: EventEmitter & { requestSingleInstanceLock: Mock<() => boolean>; quit: Mock<() => void> };
  dialog: { showErrorBox: Mock; showOpenDialog: Mock; showSaveDialog: Mock };
}

/** The parts of Electron that the shell touches, watched from outside. */
export function fakeElectron(): FakeElectron {
  const windows: FakeWindow[] = [];
  const processes: { file: string; args: string[]; process: FakeUtilityProcess }[] = [];
  const ipc = new EventEmitter();
  const handlers = new Map<string, (event: unknown, input: unknown) => Promise<unknown>>();
  const protocolHandlers = new Map<string, (request: Request) => Promise<Response>>();
  const permission: FakeElectron['permission'] = { request: null, check: null, device: null, before: null };
  const session = {
    protocol: {
      handle: (scheme: string, handler: (request: Request) => Promise<Response>) =>
        protocolHandlers.set(scheme, handler),
    },
    setPermissionRequestHandler: (handler: FakeElectron['permission']['request']) => {
      permission.request = handler;
    },
    setPermissionCheckHandler: (handler: FakeElectron['permission']['check']) => {
      permission.check = handler;
    },
    setDevicePermissionHandler: (handler: FakeElectron['permission']['device']) => {
      permission.device = handler;
    },
    webRequest: {
      onBeforeRequest: (handler: FakeElectron['permission']['before']) => {
        permission.before = handler;
      },
    },
  };

  class FakeWindow extends EventEmitter {
    readonly options: { webPreferences?: Record<string, unknown> };
    readonly webContents = new FakeContents();
    url = '';
    maximised = false;
    constructor(options: object) {
      super();
      this.options = options;
      windows.push(this);
    }
    loadURL(url: string): Promise<void> {
      this.url = url;
      return Promise.resolve();
    }
    show(): void {}
    focus(): void {}
    restore(): void {}
    isMinimized(): boolean {
      return false;
    }
    isMaximized(): boolean {
      return this.maximised;
    }
    maximize(): void {
      this.maximised = true;
    }
    getNormalBounds() {
      return { x: 10, y: 20, width: 900, height: 700 };
    }
  }

  const app = Object.assign(new EventEmitter(), {
    requestSingleInstanceLock: vi.fn(() => true),
    quit: vi.fn(),
    whenReady: () => Promise.resolve(),
  });
  const dialog = {
    showErrorBox: vi.fn(),
    showOpenDialog: vi.fn(async () => ({ canceled: false, filePaths: ['/a.tif'] })),
    showSaveDialog: vi.fn(async () => ({ canceled: true, filePath: '' })),
  };
  const electron = {
    app,
    BrowserWindow: FakeWindow,
    dialog,
    ipcMain: Object.assign(ipc, {
      handle: (channel: string, handler: (event: unknown, input: unknown) => Promise<unknown>) =>
        handlers.set(channel, handler),
    }),
    Menu: { setApplicationMenu: vi.fn(), buildFromTemplate: vi.fn((template: unknown) => template) },
    MessageChannelMain: class {
      readonly port1 = new FakePort();
      readonly port2 = new FakePort();
    },
    protocol: { registerSchemesAsPrivileged: vi.fn() },
    screen: { getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }] },
    session: { defaultSession: session },
    utilityProcess: {
      fork(file: string, args: string[]) {
        const process = new FakeUtilityProcess();
        processes.push({ file, args, process });
        return process;
      },
    },
  };
  return { electron, windows, processes, ipc, handlers, protocolHandlers, permission, app, dialog };
}
