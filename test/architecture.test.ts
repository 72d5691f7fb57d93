import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

/** The page is the rule: rooms and what each may import are read from the tables of ARCHITECTURE.md. */
const root = path.resolve(import.meta.dirname, '..');
const page = readFileSync(path.join(root, 'ARCHITECTURE.md'), 'utf8');

interface Room {
  floor: string;
  name: string;
  mayImport: 'all' | string[];
}

/** Rooms by `floor/name`, from the rows of the tables under `## src/<floor>` headings. */
function readRooms(): Map<string, Room> {
  const rooms = new Map<string, Room>();
  let floor = '';
  for (const line of page.split('\n')) {
    const heading = /^## src\/(\w+)/.exec(line);
    if (heading) floor = heading[1]!;
    else if (line.startsWith('## ')) floor = '';
    const row = /^\| `([^`]+)` \|.*\| ([^|]*) \|$/.exec(line);
    if (!floor || !row) continue;
    const name = row[1]!.replace(/\/$/, '');
    const rule = row[2]!.trim();
    const mayImport = rule === 'all' ? 'all' : rule === '–' ? [] : rule.split(',').map((room) => room.trim());
    rooms.set(`${floor}/${name}`, { floor, name, mayImport });
  }
  return rooms;
}

/** Only importers, from the page's list `- PACKAGE: place, place`. */
function readOnlyImporters(): Map<string, string[]> {
  const section = /## Only importers\n([\s\S]*?)(\n## |$)/.exec(page)?.[1] ?? '';
  const rules = new Map<string, string[]>();
  for (const [, name, places] of section.matchAll(/^- `([^`]+)`: (.+)$/gm)) {
    rules.set(
      name!,
      [...places!.matchAll(/`([^`]+)`/g)].map(([, place]) => place!),
    );
  }
  return rules;
}

/** Module specifiers of every import, export … from and import() in the source. */
function specifiers(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const found: string[] = [];
  for (const pattern of [
    /\b(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/g,
    /\bimport\s*['"]([^'"]+)['"]/g,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
    /\brequire\(\s*['"]([^'"]+)['"]/g,
  ]) {
    for (const [, specifier] of code.matchAll(pattern)) found.push(specifier!);
  }
  return found;
}

interface Import {
  file: string;
  specifier: string;
  /** Path from the root for relative imports, else null. */
  target: string | null;
}

const files = globSync('src/**/*.{ts,tsx,js}', { cwd: root })
  .map((file) => file.split(path.sep).join('/'))
  .filter((file) => !file.endsWith('.d.ts'));
const imports: Import[] = files.flatMap((file) =>
  specifiers(readFileSync(path.join(root, file), 'utf8')).map((specifier) => ({
    file,
    specifier,
    target: specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : null,
  })),
);
const rooms = readRooms();
const onlyImporters = readOnlyImporters();

/** `src/worker/net/clip.ts` → `worker/net`; a file directly on a floor is its own room: `worker/thread.ts`. */
function roomOf(file: string): string {
  const [, floor, room] = file.split('/');
  return `${floor}/${room}`;
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Rings of imports, each as the places that it goes through. */
function cyclesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (place: string, trail: string[]): void => {
    if (trail.includes(place)) cycles.push([...trail.slice(trail.indexOf(place)), place].join(' → '));
    if (done.has(place) || trail.includes(place)) return;
    for (const next of edges.get(place) ?? []) visit(next, [...trail, place]);
    done.add(place);
  };
  for (const place of edges.keys()) visit(place, []);
  return cycles;
}

const levels: Record<string, number> = { worker: 0, main: 1, renderer: 2 };

describe('the house', () => {
  it('reads rooms, rules and imports at all', () => {
    expect(rooms.size).toBeGreaterThan(10);
    expect(rooms.get('worker/infer')?.mayImport).toContain('pack');
    expect(onlyImporters.get('onnxruntime-node')).toContain('src/worker/infer');
    expect(files.length).toBeGreaterThan(20);
    expect(imports.length).toBeGreaterThan(50);
    expect(
      specifiers("import type { A } from './a.ts';\nconst b = await import('b');\nexport * from \"c\""),
    ).toEqual(['./a.ts', 'c', 'b']);
    expect(
      cyclesOf(
        new Map([
          ['a', new Set(['b'])],
          ['b', new Set(['c', 'a'])],
        ]),
      ),
    ).toEqual(['a → b → a']);
  });

  it('names every folder of the engine and the host on its page', () => {
    const unnamed = [...new Set(files.map(roomOf))].filter(
      (room) => !rooms.has(room) && !room.startsWith('renderer/'),
    );
    expect(unnamed).toEqual([]);
  });

  it('imports only downwards', () => {
    const upwards = imports.filter(({ file, target }) => {
      const from = levels[file.split('/')[1]!];
      const to = target === null ? undefined : levels[target.split('/')[1]!];
      return from !== undefined && to !== undefined && to > from;
    });
    expect(upwards).toEqual([]);
  });

  it('leaves the screen nothing of the host but the contract', () => {
    const reaching = imports.filter(
      ({ file, target }) =>
        file.startsWith('src/renderer/') &&
        target !== null &&
        !target.startsWith('src/renderer/') &&
        !target.startsWith('src/main/rpc/'),
    );
    expect(reaching).toEqual([]);
  });

  it('keeps every room to what its row allows', () => {
    const breaches = imports.filter(({ file, target }) => {
      if (target === null) return false;
      const [from, to] = [roomOf(file), roomOf(target)];
      if (from === to || !target.startsWith('src/')) return false;
      const room = rooms.get(from);
      if (!room || from.split('/')[0] !== to.split('/')[0]) return false;
      return room.mayImport !== 'all' && !room.mayImport.includes(to.split('/')[1]!);
    });
    expect(breaches.map(({ file, specifier }) => `${file} → ${specifier}`)).toEqual([]);
  });

  it('has no cycle among rooms', () => {
    const edges = new Map<string, Set<string>>();
    for (const { file, target } of imports) {
      if (target === null) continue;
      const [from, to] = [roomOf(file), roomOf(target)];
      if (from !== to) edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
    expect(cyclesOf(edges)).toEqual([]);
  });

  it('has no cycle among files', () => {
    const edges = new Map<string, Set<string>>();
    for (const { file, target } of imports)
      if (target !== null) edges.set(file, (edges.get(file) ?? new Set()).add(target));
    expect(cyclesOf(edges)).toEqual([]);
  });

  it('keeps each guarded package and global in its place', () => {
    const breaches: string[] = [];
    for (const [name, places] of onlyImporters) {
      const allowed = (file: string) =>
        places.some((place) => file === place || file.startsWith(`${place}/`));
      for (const { file, specifier } of imports) {
        if (packageOf(specifier) === name && !allowed(file)) breaches.push(`${file} → ${specifier}`);
      }
    }
    for (const file of files) {
      if (['src/worker/thread.ts', 'src/main/tiles/thread.ts', 'src/main/host.ts'].includes(file)) continue;
      if (/\bparentPort\b/.test(readFileSync(path.join(root, file), 'utf8')))
        breaches.push(`${file}: parentPort`);
    }
    expect(breaches).toEqual([]);
  });

  it('imports files that exist', () => {
    const missing = imports.filter(({ target }) => target !== null && !existsSync(path.join(root, target)));
    expect(missing).toEqual([]);
  });
});
