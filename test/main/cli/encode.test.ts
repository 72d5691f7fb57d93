import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineThread } from '../../../src/main/engine/engine-thread.ts';
import { type CliResult, cliFile, runCli } from './run-cli.ts';

const long = 300_000;
/** A mount of its own, without being root. */
const withMounts = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0;
if (!withMounts) console.warn('no mounts here: a full disk is not tried');

let base: string;
let scene: string;
let pack: string;

beforeAll(async () => {
  base = mkdtempSync(path.join(tmpdir(), 'landscribe-cli-'));
  pack = path.join(base, 'pack');
  const thread = new EngineThread('test');
  const made = await thread.run('makeDemoScene', { folder: base, seed: 3, size: 500, software: 'test' });
  scene = made.scenePath;
  await thread.run('buildRandomPack', { out: pack, overwrite: false });
  await thread.close();
}, long);
afterAll(() => rmSync(base, { recursive: true, force: true }));

const encode = (out: string) => ['encode', scene, '--pack', pack, '--out', out, '--threads', '1'];
const files = (store: string) =>
  Object.fromEntries(
    readdirSync(store)
      .sort()
      .map((name) => [name, readFileSync(path.join(store, name)).toString('base64')]),
  );

describe('encoding a scene', () => {
  it(
    'goes on after the program was killed while it placed features, and ends with the same bytes',
    async () => {
      const whole = path.join(base, 'whole');
      expect((await runCli(encode(whole), { cwd: base })).code).toBe(0);
      const killed = path.join(base, 'killed');
      let far = '';
      const result = await runCli(encode(killed), {
        cwd: base,
        onStart: (child) =>
          child.stderr!.on('data', (text: string) => {
            far += text;
            const windows = /placing features \d+ %, (\d+)\//.exec(far.split('\n').at(-2) ?? '');
            if (Number(windows?.[1]) >= 8) child.kill('SIGKILL');
          }),
      });
      expect(result.signal).toBe('SIGKILL');
      const info = JSON.parse(
        (await runCli(['features', 'info', killed, '--json'], { cwd: base })).stdout,
      ) as { finished: number; windows: number; coordinates: number };
      expect(info.finished).toBe(info.windows);
      expect(info.coordinates).toBeLessThan(1);
      const again = await runCli([...encode(killed), '--json'], { cwd: base });
      expect(JSON.parse(again.stdout)).toMatchObject({ resumed: true });
      expect(files(killed)).toEqual(files(whole));
    },
    long,
  );

  it(
    'has a folder to itself while it works, and goes on in the precision it began with',
    async () => {
      const store = path.join(base, 'shared');
      const others: Promise<CliResult[]>[] = [];
      const first = await runCli(encode(store), {
        cwd: base,
        onStart: (child) =>
          child.stderr!.on('data', () => {
            if (others.length > 0 || !existsSync(path.join(store, 'features.json'))) return;
            child.kill('SIGSTOP');
            others.push(
              Promise.all([
                runCli(encode(store), { cwd: base }),
                runCli(['features', 'remove', store], { cwd: base }),
              ]).finally(() => child.kill('SIGCONT')),
            );
          }),
      });
      expect(first.code, first.stderr).toBe(0);
      expect(others).toHaveLength(1);
      for (const { code, stderr } of await others[0]!) {
        expect(code).toBe(1);
        expect(stderr).toMatch(
          /^landscribe: [^\n]*shared: process \d+ is encoding into this folder now[^\n]*\n$/,
        );
      }
      const made = files(store);
      expect(Object.keys(made)).not.toContain('in-use');

      const exact = await runCli([...encode(store), '--precision', 'exact'], { cwd: base });
      expect(exact.code).toBe(1);
      expect(exact.stderr).toMatch(
        /^landscribe: [^\n]*shared holds features of the compact precision\.[^\n]*\n$/,
      );
      expect(files(store)).toEqual(made);
      expect((await runCli(['features', 'remove', store], { cwd: base })).code).toBe(0);
      expect(existsSync(store)).toBe(false);

      const onFile = await runCli(encode(scene), { cwd: base });
      expect(onFile.stderr).toMatch(/^landscribe: [^\n]*: a file of this name is there[^\n]*\n$/);
      expect(onFile.code).toBe(1);
    },
    long,
  );

  it.skipIf(!withMounts)(
    'says that the disk is full in one line, and keeps what is stored',
    async () => {
      const place = path.join(base, 'small');
      const script = `mkdir -p "${place}" && mount -t tmpfs -o size=120k none "${place}" && "$@"; code=$?; ls "${place}/store" > "${base}/left"; exit $code`;
      const result = await runCli(encode(path.join(place, 'store')), {
        cwd: base,
        command: ['unshare', '-rm', 'sh', '-c', script, 'sh', process.execPath, cliFile],
      });
      expect(result.code).toBe(1);
      const last = result.stderr.trimEnd().split('\n').at(-1);
      expect(last).toMatch(/^landscribe: .*full/);
      expect(readFileSync(path.join(base, 'left'), 'utf8')).toContain('features.json');
      expect(existsSync(path.join(place, 'store'))).toBe(false);
    },
    long,
  );
});
