import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where `npm run build` puts the screen: beside the sources and the built code alike. */
export const screenFolder = fileURLToPath(new URL('../../../dist/renderer/', import.meta.url));

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.map': 'application/json; charset=utf-8',
};

export async function screenIsBuilt(folder = screenFolder): Promise<boolean> {
  return (await stat(path.join(folder, 'index.html')).catch(() => null))?.isFile() ?? false;
}

/** A file of the built screen by its address, or null: nothing outside the folder, nothing of an unknown type. */
export async function screenFile(
  address: string,
  folder = screenFolder,
): Promise<{ body: Buffer; type: string; lasting: boolean } | null> {
  const name = address === '/' ? 'index.html' : address.slice(1);
  const type = types[path.extname(name).toLowerCase()];
  if (type === undefined || !/^[\w.-]+(\/[\w.-]+)*$/.test(name) || name.split('/').includes('..'))
    return null;
  const body = await readFile(path.join(folder, ...name.split('/'))).catch(() => null);
  // The build names assets by their content.
  return body && { body, type, lasting: name.startsWith('assets/') };
}

/**
 * What a page of the screen may do: load its own files, talk to where it came from. Styles are also set by the
 * libraries of the panels and the map at run time, and the map's workers start from blobs.
 */
export const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
