import type { BrowserWindowConstructorOptions, Session, WebContents } from 'electron';
import type { WindowPlace } from './window-state.ts';

/** Where the screen lives: an origin of its own, which no file and no site shares. */
export const screenOrigin = 'landscribe://app';

/** A window whose page can do no more than a page: whatever it needs of the machine goes through the preload's few calls. */
export function windowOptions(place: WindowPlace, preload: string): BrowserWindowConstructorOptions {
  const { x, y, width, height } = place;
  return {
    ...(x !== undefined && y !== undefined && { x, y }),
    width,
    height,
    minWidth: 800,
    minHeight: 500,
    show: false,
    title: 'Landscribe',
    autoHideMenuBar: true,
    webPreferences: {
      preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
    },
  };
}

/** Closes every way out of the page: permissions, navigation, new windows, embedded views, other origins. */
export function lockDown(contents: WebContents, session: Session): void {
  const isHarmless = (what: string) => what === 'clipboard-sanitized-write' || what === 'fullscreen';
  session.setPermissionRequestHandler((_contents, what, answer) => answer(isHarmless(what)));
  session.setPermissionCheckHandler((_contents, what) => isHarmless(what));
  session.setDevicePermissionHandler(() => false);
  // Nothing of the screen comes from the network.
  session.webRequest.onBeforeRequest((details, answer) =>
    answer({ cancel: !/^(landscribe:|devtools:|data:|blob:landscribe:)/.test(details.url) }),
  );
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  contents.on('will-attach-webview', (event) => event.preventDefault());
  for (const name of ['will-navigate', 'will-frame-navigate', 'will-redirect'] as const)
    contents.on(name as 'will-navigate', (event) => {
      if (!event.url.startsWith(`${screenOrigin}/`)) event.preventDefault();
    });
}
