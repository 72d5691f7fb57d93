#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Problem } from '../worker/report/problem.ts';
import { asProblem } from '../worker/report/problem-record.ts';
import { AllowedPaths } from './desktop/allowed-paths.ts';
import { Desktop } from './desktop/desktop.ts';
import { homeOf } from './packs/home.ts';
import { screenIsBuilt } from './serve/screen-files.ts';
import { startServer } from './serve/server.ts';

const usage = `npm run serve -- [options]

  --port N        port to listen on (default 8765; 0: any that is free)
  --host NAME     address to listen on (default 127.0.0.1: this machine only; reach it from elsewhere by an SSH tunnel)
  --root FOLDER   the screen may open and write files below it; may be given more than once (default: your home folder
                  and the present one)
  --project FILE  a project to open
  --no-open       prints the address without opening a browser`;

async function main(): Promise<void> {
  const { values } = parse();
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  const port = Number(values.port ?? 8765);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new Problem('serve/arguments', `--port ${values.port}: is no port.`, 'Give a number up to 65535.');
  const home = homeOf();
  const project = values.project === undefined ? null : path.resolve(values.project);
  const roots = values.root ?? [homedir(), process.cwd()];
  const allowed = await AllowedPaths.of(project ? [...roots, path.dirname(project)] : roots);
  const desktop = new Desktop({ door: 'browser', home, allowed });
  if (project) await desktop.openProject(project);
  const serving = await startServer({ host: values.host ?? '127.0.0.1', port, desktop });
  process.stdout.write(`Landscribe: ${serving.url}\n`);
  if (!(await screenIsBuilt()))
    process.stderr.write('The screen is not built: run npm run build, then reload the page.\n');
  if (!values['no-open']) openBrowser(serving.url);

  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    process.stderr.write('\nstopping after the windows under way …\n');
    void serving
      .close()
      .then(() => desktop.close())
      .finally(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

function parse() {
  try {
    return parseArgs({
      options: {
        port: { type: 'string' },
        host: { type: 'string' },
        root: { type: 'string', multiple: true },
        project: { type: 'string' },
        'no-open': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new Problem('serve/arguments', (error as Error).message, 'See npm run serve -- --help.', error);
  }
}

/** In the system's browser; where there is none, the printed address has to do. */
function openBrowser(url: string): void {
  const [command, args] =
    process.platform === 'darwin'
      ? ['open', [url]]
      : process.platform === 'win32'
        ? ['cmd', ['/c', 'start', '', url.replaceAll('&', '^&')]]
        : ['xdg-open', [url]];
  const child = spawn(command as string, args as string[], { detached: true, stdio: 'ignore' });
  child.on('error', () => {});
  child.unref();
}

main().catch((error: unknown) => {
  const { message, hint } = asProblem(error);
  process.stderr.write(`landscribe: ${message} ${hint}\n`);
  process.exit(1);
});
