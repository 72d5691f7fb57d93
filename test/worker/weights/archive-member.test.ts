import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { unpackMember } from '../../../src/worker/weights/archive-member.ts';
import { scratch } from './fixture-files.ts';
import { zip } from './zip-writer.ts';

const { folder, put } = scratch();
const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * i) >> 3));
const inFolder = { name: 'run/epoch_20.pt', bytes };

describe('a checkpoint in an archive', () => {
  it.each([
    ['stored', false],
    ['deflated', true],
  ])('is found by its name in whatever folder (%s)', async (kind, deflated) => {
    const archive = put(
      `${kind}.zip`,
      zip([
        { name: 'readme', bytes },
        { ...inFolder, deflated },
      ]),
    );
    const out = path.join(folder, `${kind}.pt`);
    const seen: number[] = [];
    expect(
      await unpackMember(archive, 'epoch_20.pt', out, undefined, (done, total) => {
        expect(total).toBe(bytes.length);
        seen.push(done);
      }),
    ).toBe(bytes.length);
    expect(readFileSync(out).equals(bytes)).toBe(true);
    expect(seen.at(-1)).toBe(bytes.length);
  });

  it.each([
    ['no', [{ name: 'run/other.pt', bytes }], 'holds 0 files'],
    ['two', [inFolder, { name: 'old/epoch_20.pt', bytes }], 'holds 2 files'],
  ])('is refused where there are %s such files', async (kind, parts, message) => {
    const archive = put(`${kind}.zip`, zip(parts));
    await expect(unpackMember(archive, 'epoch_20.pt', path.join(folder, `${kind}.pt`))).rejects.toMatchObject(
      { code: 'checkpoint/no-member', message: expect.stringContaining(message) },
    );
    expect(existsSync(path.join(folder, `${kind}.pt`))).toBe(false);
  });

  it('is refused where the archive is none, or lies about its content', async () => {
    const page = put('page.zip', Buffer.from('<html>'));
    await expect(unpackMember(page, 'epoch_20.pt', path.join(folder, 'a.pt'))).rejects.toMatchObject({
      code: 'checkpoint/unknown-format',
      message: expect.stringContaining('page.zip'),
    });
    const lie = put('lie.zip', zip([{ ...inFolder, claims: { crc: 1 } }]));
    await expect(unpackMember(lie, 'epoch_20.pt', path.join(folder, 'b.pt'))).rejects.toMatchObject({
      message: expect.stringContaining('checksum'),
    });
  });
});
