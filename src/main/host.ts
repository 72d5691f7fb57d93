import { RPCHandler } from '@orpc/server/message-port';
import { asProblem } from '../worker/report/problem-record.ts';
import { AllowedPaths } from './desktop/allowed-paths.ts';
import { Desktop } from './desktop/desktop.ts';
import { createFetch } from './desktop/fetch.ts';
import { desktopRouter } from './desktop/router.ts';
import { homeOf } from './packs/home.ts';

// The utility process's entry: the same host as the browser door's, behind ports instead of a socket.
type Request =
  | { kind: 'connect' }
  | { kind: 'fetch'; id: number; path: string; query: string }
  | { kind: 'close' };

const parent = process.parentPort;
const desktop = new Desktop({ door: 'electron', home: homeOf(), allowed: await AllowedPaths.of(null) });
const handler = new RPCHandler(desktopRouter(desktop));
const fetch = createFetch(desktop);
type Port = Parameters<typeof handler.upgrade>[0] & { start(): void };

parent.on('message', ({ data, ports }: { data: Request; ports: Port[] }) => {
  if (data.kind === 'connect') {
    const [port] = ports;
    if (!port) return;
    handler.upgrade(port, { context: {} });
    port.start();
  } else if (data.kind === 'fetch') {
    const { id, path, query } = data;
    void fetch({ path, query: new URLSearchParams(query) }).then((reply) =>
      parent.postMessage({ id, reply }),
    );
  } else void desktop.close().finally(() => process.exit(0));
});

desktop.onOpen((file) => parent.postMessage({ project: file }));
const given = process.argv.indexOf('--project');
const project = given < 0 ? undefined : process.argv[given + 1];
if (project)
  desktop.openProject(project).catch((error: unknown) => {
    const { message, hint } = asProblem(error);
    desktop.hub.note('error', `${message} ${hint}`.trim());
  });
