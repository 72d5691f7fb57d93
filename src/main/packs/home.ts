import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { manifestFile } from '../../worker/pack/manifest.ts';
import { Problem } from '../../worker/report/problem.ts';
import { ownEntry, plainName, readRegistry } from './registry.ts';
import { starterPack } from './starter.ts';

/** Where one user's packs and downloads lie. */
export interface Home {
  folder: string;
  packs: string;
  downloads: string;
  /** SHA-256 of files whose publishers state none, as first downloaded. */
  checksums: string;
}

/** $LANDSCRIBE_HOME, else the place that the system has for programs' own files. */
export function homeOf(env: NodeJS.ProcessEnv = process.env, platform = process.platform): Home {
  const folder = path.resolve(env.LANDSCRIBE_HOME || platformFolder(env, platform));
  return {
    folder,
    packs: path.join(folder, 'packs'),
    downloads: path.join(folder, 'downloads'),
    checksums: path.join(folder, 'checksums.json'),
  };
}

function platformFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  if (platform === 'win32') {
    return path.join(env.LOCALAPPDATA || path.join(homedir(), 'AppData', 'Local'), 'Landscribe');
  }
  if (platform === 'darwin') return path.join(homedir(), 'Library', 'Application Support', 'Landscribe');
  return path.join(env.XDG_DATA_HOME || path.join(homedir(), '.local', 'share'), 'landscribe');
}

/**
 * The folder of the pack asked for: a folder as it is, else an installed pack of that name, else `starter`, which comes
 * with the program. What is none of these stays as it is, for the opener to refuse; a name that could be installed
 * throws `pack/not-installed`.
 */
export async function packFolder(asked: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (isPack(asked) || !plainName.test(asked)) return asked;
  const installed = path.join(homeOf(env).packs, asked);
  if (isPack(installed)) return installed;
  if (asked === 'starter' && isPack(starterPack)) return starterPack;
  if (!existsSync(asked) && ownEntry((await readRegistry()).packs, asked)) {
    throw new Problem(
      'pack/not-installed',
      `Pack ${asked} is not installed.`,
      `Get it with landscribe pack install ${asked}.`,
    );
  }
  return asked;
}

function isPack(folder: string): boolean {
  return existsSync(path.join(folder, manifestFile));
}
