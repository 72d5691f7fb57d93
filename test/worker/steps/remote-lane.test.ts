import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { Problem } from '../../../src/worker/report/problem.ts';
import { RemoteLane, RemoteScorer, serveWindows } from '../../../src/worker/steps/remote-lane.ts';
import type { WindowScorer } from '../../../src/worker/tile/window-scorer.ts';

const serveScorer = (port: MessagePort, scorer: WindowScorer) =>
  serveWindows(port, ({ pixels, height, width }) => scorer.score(pixels, height, width));

/** Score = colour 0 of the pixel, plus the word's number. */
const plain: WindowScorer = {
  words: 2,
  async score(pixels, height, width) {
    const scores = new Float32Array(2 * height * width);
    for (let pixel = 0; pixel < height * width; pixel++) {
      scores[pixel] = pixels[pixel]!;
      scores[height * width + pixel] = pixels[pixel]! + 1;
    }
    return scores;
  },
};

it('answers as the scorer behind the port does, in any order of asking', async () => {
  const { port1, port2 } = new MessageChannel();
  const served = serveScorer(port2, plain);
  const remote = new RemoteScorer(port1, 2);
  const asked = [1, 2, 3, 4].map((value) => remote.score(new Float32Array(3 * 6).fill(value), 2, 3));
  for (const [index, scores] of (await Promise.all(asked)).entries()) {
    expect([...scores]).toEqual([...Array(6).fill(index + 1), ...Array(6).fill(index + 2)]);
  }
  port1.close();
  expect(await served).toBe(4);
});

it('leaves pixels that are part of a larger buffer where they are', async () => {
  const { port1, port2 } = new MessageChannel();
  void serveScorer(port2, plain);
  const remote = new RemoteScorer(port1, 2);
  const large = new Float32Array(20).fill(5);
  const scores = await remote.score(large.subarray(2, 5), 1, 1);
  expect([...scores]).toEqual([5, 6]);
  expect(large.length).toBe(20);
  port1.close();
});

it('passes on the problem of a window, and goes on with the next', async () => {
  const { port1, port2 } = new MessageChannel();
  let asked = 0;
  void serveScorer(port2, {
    words: 2,
    score: async (pixels, height, width) => {
      if (asked++ === 0) throw new Problem('infer/failed', 'The session failed.', 'Use --provider cpu.');
      return plain.score(pixels, height, width);
    },
  });
  const remote = new RemoteScorer(port1, 2);
  await expect(remote.score(new Float32Array(3), 1, 1)).rejects.toMatchObject({
    code: 'infer/failed',
    hint: 'Use --provider cpu.',
  });
  expect([...(await remote.score(new Float32Array([9, 0, 0]), 1, 1))]).toEqual([9, 10]);
  port1.close();
});

it('fails what waits when the lane goes away', async () => {
  const { port1, port2 } = new MessageChannel();
  const remote = new RemoteScorer(port1, 2);
  const waiting = remote.score(new Float32Array(3), 1, 1);
  port2.close();
  await expect(waiting).rejects.toMatchObject({ code: 'engine/ended' });
  await expect(remote.score(new Float32Array(3), 1, 1)).rejects.toMatchObject({ code: 'engine/ended' });
});

it('does not wait for a lane that is slow to begin when the run is cancelled', async () => {
  const { port1 } = new MessageChannel();
  const remote = new RemoteScorer(port1, 2);
  const controller = new AbortController();
  const waiting = remote.score(new Float32Array(3), 1, 1, controller.signal);
  controller.abort(new Problem('engine/run', 'vision.onnx failed.', 'Lower --threads.'));
  await expect(waiting).rejects.toMatchObject({ code: 'engine/run' });
  port1.close();
});

it('takes a stored window along and brings a record back', async () => {
  const { port1, port2 } = new MessageChannel();
  void serveWindows(port2, async ({ pixels, record }) =>
    Uint8Array.from(record!, (byte) => byte + pixels[0]!),
  );
  const lane = new RemoteLane<Uint8Array<ArrayBuffer>>(port1);
  const question = {
    pixels: new Float32Array(3).fill(10),
    height: 1,
    width: 1,
    record: Uint8Array.of(1, 2, 3),
  };
  expect([...(await lane.ask(question))]).toEqual([11, 12, 13]);
  port1.close();
});
