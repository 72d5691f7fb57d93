import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeJob, featureFolder } from '../../../src/main/jobs/encode-job.ts';
import { ProjectStore } from '../../../src/main/project/project-store.ts';
import type { EncodeInput, EncodeSummary } from '../../../src/main/run/features.ts';
import { Problem } from '../../../src/worker/report/problem.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-encode-job-'));
let store: ProjectStore | null = null;
let count = 0;

afterEach(() => {
  store?.close();
  store = null;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});

async function project(): Promise<{ store: ProjectStore; sceneId: number }> {
  store = await ProjectStore.create(path.join(folder, `project-${++count}.gpkg`));
  writeFileSync(path.join(folder, 'scene.tif'), 'any bytes');
  const sceneId = await store.addScene(path.join(folder, 'scene.tif'));
  return { store, sceneId };
}

const context = { id: 1, signal: new AbortController().signal, onProgress() {}, onNote() {} };
const summary = { windows: 4, bytes: 1000, bytesPerPixel: 2.5, seconds: 1 } as EncodeSummary;
const asked = (sceneId: number) => ({
  sceneId,
  name: 'scene.tif',
  settings: { pack: 'starter' },
  limitBytes: 5e6,
});

describe('the job that encodes a scene', () => {
  it('encodes into the folder beside the project, within the limit', async () => {
    const { store: own, sceneId } = await project();
    const inputs: EncodeInput[] = [];
    const job = encodeJob(own, async (input) => {
      inputs.push(input);
      return summary;
    });
    expect(await job(asked(sceneId), context)).toMatchObject({ windows: 4, bytesPerPixel: 2.5 });
    expect(inputs).toHaveLength(1);
    expect(inputs[0]).toMatchObject({
      scene: path.join(folder, 'scene.tif'),
      out: featureFolder(own, sceneId),
      pack: 'starter',
      coordinates: true,
      limit: 5e6,
    });
    expect(path.dirname(featureFolder(own, sceneId))).toBe(own.rasters);
  });

  it('makes room where other settings, or a damaged store, are in the way, once', async () => {
    const { store: own, sceneId } = await project();
    const out = featureFolder(own, sceneId);
    for (const code of ['features/other', 'features/damaged']) {
      mkdirSync(out, { recursive: true });
      writeFileSync(path.join(out, 'features.json'), header);
      const notes: string[] = [];
      let calls = 0;
      const job = encodeJob(own, async () => {
        if (++calls === 1) throw new Problem(code, 'in the way.', '');
        expect(existsSync(path.join(out, 'features.json'))).toBe(false);
        return summary;
      });
      await job(asked(sceneId), { ...context, onNote: (text) => notes.push(text) });
      expect(calls).toBe(2);
      expect(notes).toHaveLength(1);
    }
  });

  it('passes on what it cannot mend: a full disk, a scene that is gone, a request of another program', async () => {
    const { store: own, sceneId } = await project();
    const job = encodeJob(own, async () => {
      throw new Problem('file/no-space', 'no space left.', 'Free some.');
    });
    await expect(job(asked(sceneId), context)).rejects.toMatchObject({ code: 'file/no-space' });
    await expect(job(asked(sceneId + 7), context)).rejects.toMatchObject({ code: 'job/no-scene' });
    await expect(job({ sceneId }, context)).rejects.toMatchObject({ code: 'job/invalid' });
  });
});

const header = JSON.stringify({
  format: 'landscribe-features 1',
  identity: {
    sceneFingerprint: 'a',
    packChecksum: 'b',
    encoder: {},
    pixels: {},
    window: 224,
    stride: 112,
  },
  scene: 'scene.tif',
  pack: 'starter',
  packFolder: 'starter',
  embedding: 8,
  windows: 4,
  pixels: 100,
  precision: { kind: 'exact' },
});
