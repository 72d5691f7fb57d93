import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { runEvaluate } from '../../../src/main/run/evaluate.ts';
import { runSegment } from '../../../src/main/run/segment.ts';
import { readLabelImage } from '../../../src/worker/evaluate/label-image.ts';
import { openPredictor } from '../../../src/worker/steps/predict.ts';

const chips = path.resolve('../shared/data/pairs/terramind');
if (!existsSync(chips)) console.log('Evaluation on SAR is not tested: there are no chips.');
const pack = path.resolve('models/starter');
const classes = ['water', 'cropland', 'tree'].map((name, at) => ({
  id: at + 1,
  name,
  words: [name],
  colour: '#000000',
}));
const chip = path.join(chips, 'S1RTC/433D_629L_3_1.tif');

describe.skipIf(!existsSync(chips))('evaluation on SAR', () => {
  it('sees what segment sees: the same classes, by the same recipe and encoder', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'landscribe-predict-'));
    const predictor = await openPredictor({
      pack,
      classes,
      templates: 'imagenet',
      scorer: { modality: 'sar', attention: 'sclip', lastLayers: 2, lambda: -0.3, upsample: true },
      session: { provider: 'cpu', threads: 1 },
      window: 112,
      stride: 56,
      mode: 'reference',
      threshold: 0,
      background: null,
      scale: 1,
      modality: 'sar',
      radar: { speckle: 'lee', composite: 'all' },
    });
    try {
      const seen = await predictor.predict(chip);
      const out = path.join(folder, 'chip.tif');
      const notes: string[] = [];
      await runSegment(
        {
          scene: chip,
          pack,
          classes,
          out,
          formats: ['tif'],
          modality: 'sar',
          radar: { speckle: 'lee', composite: 'all' },
          resolution: 'native',
          window: 112,
          stride: 56,
          threads: 1,
        },
        { onNote: (text) => notes.push(text) },
      );
      const segmented = await readLabelImage(out);
      expect(seen.width * seen.height).toBe(segmented.values.length);
      expect(Buffer.compare(Buffer.from(seen.ids), Buffer.from(segmented.values))).toBe(0);
      expect(new Set(seen.ids).size).toBeGreaterThan(1);
      expect(notes.join('\n')).toMatch(/lee 7 × 7[\s\S]*Encoder for SAR of starter: sclip/);
      const colours = await predictor.colours(chip);
      expect(colours.pixels.length).toBe(3 * seen.width * seen.height);
      expect(new Set(colours.pixels).size).toBeGreaterThan(100);
    } finally {
      await predictor.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);

  it('chooses the SAR encoder by itself and says so; the optical one, which is worse, when asked', async () => {
    const measure = async (encoder: 'optical' | null): Promise<{ accuracy: number; notes: string }> => {
      const notes: string[] = [];
      const { info } = await runEvaluate(
        {
          images: path.join(chips, 'S1RTC'),
          labels: path.join(chips, 'LULC'),
          labelValues: [1, 4, 2, 3, 5, 6, 9],
          part: null,
          ignore: null,
          encoder,
          scale: 1,
          segment: {
            pack,
            classes: ['water', 'cropland', 'tree', 'wetland', 'building', 'bare soil', 'rangeland'].map(
              (name, at) => ({ id: at + 1, name, words: [name], colour: '#000000' }),
            ),
            modality: 'sar',
            threads: 1,
          },
          baseline: null,
          csv: null,
          json: null,
          picture: null,
        },
        { onNote: (text) => notes.push(text) },
      );
      const { pixelAccuracy } = info as { pixelAccuracy: number };
      return { accuracy: pixelAccuracy, notes: notes.join('\n') };
    };
    const sar = await measure(null);
    const optical = await measure('optical');
    expect(sar.notes).toMatch(/Encoder for SAR/);
    expect(optical.notes).toMatch(/Optical encoder, as asked/);
    // Always saying cropland would reach 0.285.
    expect(sar.accuracy).toBeGreaterThan(0.3);
    expect(sar.accuracy).toBeGreaterThan(optical.accuracy);
  }, 240_000);
});
