// The page's only way to the machine. A sandboxed preload is CommonJS and may use these three of Electron's modules.
const { contextBridge, ipcRenderer, webUtils } = require('electron') as typeof import('electron');
const page = globalThis as unknown as {
  location: { origin: string };
  postMessage(message: string, origin: string, ports: unknown[]): void;
};

// Ports do not pass the bridge: they go to the page as a message of its own window.
ipcRenderer.on('port', (event) =>
  page.postMessage('landscribe-port', page.location.origin, [...event.ports]),
);

contextBridge.exposeInMainWorld('landscribe', {
  requestPort: () => ipcRenderer.send('connect'),
  chooseFiles: (request: unknown) => ipcRenderer.invoke('choose-files', request),
  pathOf: (file: Parameters<typeof webUtils.getPathForFile>[0]) => webUtils.getPathForFile(file),
  onCommand: (tell: (id: string) => void) => ipcRenderer.on('command', (_event, id: string) => tell(id)),
  onOpen: (tell: (path: string) => void) => ipcRenderer.on('open', (_event, path: string) => tell(path)),
  onHostEnded: (tell: () => void) => ipcRenderer.once('host-ended', () => tell()),
});
