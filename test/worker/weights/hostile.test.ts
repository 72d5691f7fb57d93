import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Problem } from '../../../src/worker/report/problem.ts';
import { upsamplerCheckpoint } from '../../../src/worker/weights/names.ts';
import { openCheckpoint } from '../../../src/worker/weights/open-checkpoint.ts';
import { checkpoints, hasFixtures, randomStream, scratch } from './fixture-files.ts';
import {
  call,
  dict,
  floats,
  global,
  integer,
  legacyFile,
  magic,
  op,
  orderedDict,
  pickle,
  type TensorDescription,
  tensor,
  text,
  tuple,
} from './pickle-writer.ts';
import { type ZipPart, zip } from './zip-writer.ts';

const { put, folder } = scratch();

const vector: TensorDescription = { storage: '0', count: 4, shape: [4], strides: [1] };
const fourFloats = floats(1, 2, 3, 4);

function archive(pickled: Buffer, storage: Uint8Array = fourFloats, more: ZipPart[] = []): Buffer {
  return zip([
    { name: 'archive/data.pkl', bytes: pickled },
    { name: 'archive/data/0', bytes: storage },
    ...more,
    { name: 'archive/version', bytes: Buffer.from('3\n') },
  ]);
}

/** Opens and reads everything; the problem that stopped it, or undefined. Anything but a Problem is passed on. */
async function problemOf(file: string): Promise<Problem | undefined> {
  try {
    const checkpoint = await openCheckpoint(file);
    try {
      for (const name of checkpoint.names()) {
        checkpoint.header(name);
        await checkpoint.read(name);
      }
      const upsampler = upsamplerCheckpoint(checkpoint);
      for (const name of upsampler.names()) upsampler.shape(name);
    } finally {
      await checkpoint.close();
    }
    return undefined;
  } catch (problem) {
    if (problem instanceof Problem) return problem;
    throw problem;
  }
}

async function expectProblem(bytes: Buffer, code: string, reason: string | RegExp): Promise<void> {
  const file = put('hostile.pt', bytes);
  const problem = await problemOf(file);
  expect(problem).toBeDefined();
  expect(problem!.code).toBe(code);
  expect(problem!.message).toContain(file);
  expect(problem!.message).toMatch(reason);
  expect(problem!.message).not.toContain('\n');
  expect(problem!.hint).not.toBe('');
}

describe('pickles that want more than tensors', () => {
  const command = text('touch /tmp/never');
  const forbidden: [string, Buffer, string][] = [
    ['os.system', call(global('os', 'system'), command), 'os.system'],
    ['posix.system', call(global('posix', 'system'), command), 'posix.system'],
    ['builtins.eval', call(global('builtins', 'eval'), command), 'builtins.eval'],
    ['the torch module beyond tensors', call(global('torch', 'load'), command), 'torch.load'],
    [
      'storages that load bytes',
      call(global('torch.storage', '_load_from_bytes'), command),
      '_load_from_bytes',
    ],
    ['a name that only starts right', call(global('torch', 'FloatStorage.from_file'), command), 'from_file'],
    [
      'a dotted way out',
      call(global('collections', 'OrderedDict.__init__.__globals__'), command),
      '__globals__',
    ],
    ['a prototype', call(global('__proto__', 'constructor'), command), '__proto__.constructor'],
    ['STACK_GLOBAL', Buffer.concat([text('os'), text('system'), Buffer.from([0x93])]), 'os.system'],
    ['INST', Buffer.concat([op.mark, command, Buffer.from('ios\nsystem\n')]), 'os.system'],
  ];

  it.each(forbidden)('%s is refused by name', async (_, pickled, name) => {
    const nameIn = new RegExp(name.replaceAll('.', '\\.'));
    for (const root of [pickled, dict({ state_dict: orderedDict({ w: tensor(vector) }), extra: pickled })]) {
      await expectProblem(archive(pickle(root)), 'checkpoint/forbidden-global', nameIn);
      await expectProblem(legacyFile(root, []), 'checkpoint/forbidden-global', nameIn);
    }
  });

  it('instructions outside the list are refused by number', async () => {
    // OBJ, NEWOBJ_EX, EXT1, PERSID, NEXT_BUFFER, POP, DUP
    for (const opcode of [0x6f, 0x92, 0x82, 0x50, 0x97, 0x30, 0x32])
      await expectProblem(
        archive(pickle(op.none, Buffer.from([opcode, 0x0a]))),
        'checkpoint/forbidden-instruction',
        `0x${opcode.toString(16)}`,
      );
  });
});

describe('tensors that lie about their storage', () => {
  const lies: [string, Partial<TensorDescription>][] = [
    ['a shape beyond the storage', { shape: [5] }],
    ['a huge shape', { shape: [2 ** 31 - 1, 2 ** 31 - 1], strides: [1, 1] }],
    ['a repeated element', { shape: [2 ** 30], strides: [0] }],
    ['an offset beyond the storage', { offset: 1 }],
    ['a negative offset', { offset: -1 }],
    ['a negative stride', { strides: [-1], offset: 3 }],
    ['a negative extent', { shape: [-4] }],
    ['fewer strides than axes', { shape: [2, 2] }],
    ['too many axes', { shape: Array(40).fill(1), strides: Array(40).fill(1) }],
    ['a storage larger than its entry', { count: 5 }],
    ['a storage of terabytes', { count: 2 ** 40, shape: [2 ** 40] }],
    ['a wider type than its entry', { type: 'DoubleStorage' }],
    ['a missing storage', { storage: '1' }],
    ['a storage elsewhere', { storage: '../../etc/passwd' }],
    ['a storage behind a slash', { storage: '/etc/passwd' }],
  ];

  it.each(lies)('%s', async (_, lie) => {
    const bytes = archive(pickle(dict({ w: tensor({ ...vector, ...lie }) })));
    await expectProblem(bytes, 'checkpoint/corrupt', /./);
  });

  it('names with line breaks and escapes stay on one line of the message', async () => {
    const name = 'w\n\u001b[2J';
    await expectProblem(
      archive(pickle(dict({ [name]: text('x') }))),
      'checkpoint/corrupt',
      /its keys are "w\\n/,
    );
    const absent = dict({ [name]: tensor({ ...vector, storage: name }) });
    await expectProblem(archive(pickle(absent)), 'checkpoint/corrupt', /storage "w\\n/);
    const other = archive(pickle(dict({ [name]: tensor(vector) })));
    await expectProblem(other, 'checkpoint/not-an-upsampler', /"w\\n/);
  });

  it('one storage cannot have two types', async () => {
    const root = dict({ a: tensor(vector), b: tensor({ ...vector, type: 'IntStorage' }) });
    await expectProblem(archive(pickle(root)), 'checkpoint/corrupt', 'two element types');
  });
});

describe('pickles that swell or do not end', () => {
  const swollen: [string, Buffer][] = [
    ['a string of 4 GiB', Buffer.from([0x58, 0xff, 0xff, 0xff, 0xff])],
    ['an endless name', Buffer.concat([Buffer.from('c'), Buffer.alloc(5000, 'a')])],
    ['an integer of 255 bytes', Buffer.concat([Buffer.from([0x8a, 255]), Buffer.alloc(255, 1)])],
    ['a million marks', Buffer.concat([Buffer.alloc(2_000_001, '(')])],
    ['millions of lists', Buffer.alloc(3_000_000, ']')],
    ['millions of instructions', Buffer.concat([op.none, Buffer.alloc(5_000_000, Buffer.from('q\x00'))])],
    ['values left behind', Buffer.concat([op.none, op.none])],
    ['an empty stack', Buffer.from('R')],
    ['an unknown memo', Buffer.from('h\x07')],
    ['a call of a list', Buffer.concat([op.emptyList, op.emptyTuple, op.reduce])],
    ['a call of a type', Buffer.concat([global('torch', 'FloatStorage'), op.emptyTuple, op.reduce])],
    ['a state for a list', Buffer.concat([op.emptyList, op.emptyDict, op.build])],
  ];

  it.each(swollen)('%s', async (_, body) => {
    await expectProblem(archive(pickle(body)), 'checkpoint/corrupt', /pickle/);
    await expectProblem(Buffer.concat([magic, pickle(body)]), 'checkpoint/corrupt', /pickle/);
  });

  it('no pickle at all', async () => {
    await expectProblem(archive(Buffer.alloc(0)), 'checkpoint/corrupt', 'ends early');
    await expectProblem(Buffer.concat([magic]), 'checkpoint/corrupt', 'has no end');
  });
});

describe('zip archives that lie', () => {
  const good: ZipPart[] = [
    { name: 'archive/data.pkl', bytes: pickle(dict({ w: tensor(vector) })) },
    { name: 'archive/data/0', bytes: fourFloats },
  ];
  const withPart = (part: ZipPart): Buffer => zip([...good, part]);
  const storage = (claims: ZipPart['claims'], deflated = false): Buffer =>
    zip([good[0]!, { ...good[1]!, deflated, ...(claims && { claims }) }]);

  it.each([
    '../evil',
    '/etc/passwd',
    'archive/../../x',
    'a\\b',
    'C:/x',
    'a\0b',
    '',
  ])('the name %j', async (name) => {
    await expectProblem(withPart({ name, bytes: fourFloats }), 'checkpoint/corrupt', 'unsafe name');
  });

  it.each<[string, Buffer, string]>([
    ['a name twice', withPart(good[1]!), 'twice'],
    ['an encrypted entry', storage({ flags: 1 }), 'encrypted'],
    ['another compression', storage({ method: 12 }), 'method 12'],
    ['two sizes of a stored entry', storage({ size: 17 }), 'two different sizes'],
    ['an entry beyond the file', storage({ size: 1 << 30, compressedSize: 1 << 30 }), 'directory'],
    ['a wrong checksum', storage({ crc: 1 }), 'checksum'],
    ['a bomb by its declaration', storage({ size: 1 << 30 }, true), 'zip bomb'],
    ['an entry that swells beyond its declaration', storage({ size: 8 }, true), /16 are claimed/.source],
    ['an entry that holds less than it declares', storage({ size: 20 }, true), 'declares 20'],
    ['rubbish in place of deflate', storage({ method: 8, size: 16 }), 'decompressed'],
    ['no pickle', zip([good[1]!]), 'not one that torch wrote'],
    ['two pickles', withPart({ ...good[0]!, name: 'other/data.pkl' }), 'not one that torch wrote'],
    [
      'a big-endian archive',
      withPart({ name: 'archive/byteorder', bytes: Buffer.from('big') }),
      'byte order',
    ],
  ])('%s', async (_, bytes, reason) => {
    const code = reason.startsWith('not one') ? 'checkpoint/unknown-format' : 'checkpoint/corrupt';
    await expectProblem(bytes, code, reason);
  });

  it('a real bomb is stopped at what it declares', async () => {
    const zeros = Buffer.alloc(64 << 20);
    const bomb = { name: 'archive/data/0', bytes: zeros, deflated: true, claims: { size: 4 << 10 } };
    const root = dict({ w: tensor({ ...vector, count: 1024, shape: [1024] }) });
    await expectProblem(
      zip([{ name: 'archive/data.pkl', bytes: pickle(root) }, bomb]),
      'checkpoint/corrupt',
      'swells',
    );
    const pickled = { name: 'archive/data.pkl', bytes: zeros, deflated: true };
    await expectProblem(zip([pickled, good[1]!]), 'checkpoint/corrupt', 'zip bomb');
  });

  it('an end without its archive, and an archive without its end', async () => {
    const bytes = zip(good);
    await expectProblem(bytes.subarray(0, bytes.length - 30), 'checkpoint/corrupt', 'no directory');
    const moved = Buffer.from(bytes);
    moved.writeUInt32LE(bytes.length, bytes.length - 6);
    await expectProblem(moved, 'checkpoint/corrupt', 'directory');
  });
});

describe('files that are no checkpoint', () => {
  it.each([
    ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\n'), 'LFS'],
    ['a web page', Buffer.from('<!DOCTYPE html><html>'), 'web page'],
    ['a gzip file', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]), 'gzip'],
    ['a plain pickle', pickle(call(global('os', 'system'), text('x'))), 'pickle'],
    ['nothing', Buffer.alloc(0), 'empty'],
    ['a few bytes', Buffer.from('abc'), 'no known format'],
  ])('%s', async (_, bytes, reason) => {
    await expectProblem(bytes, 'checkpoint/unknown-format', reason);
  });

  it('no file, or a folder', async () => {
    await expect(openCheckpoint(path.join(folder, 'absent.pt'))).rejects.toMatchObject({
      code: 'checkpoint/not-found',
    });
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: 'checkpoint/unreadable' });
  });
});

describe('mutated checkpoints', () => {
  /** Structure to damage, and how to make a file of it whose checksums are right again. */
  interface Base {
    name: string;
    bytes: Buffer;
    file(damaged: Buffer): Buffer;
  }

  const scriptModule = (attributes: Record<string, Buffer>): Buffer =>
    Buffer.concat([global('__torch__.m', 'M'), op.emptyTuple, op.newObject, dict(attributes), op.build]);
  const header = JSON.stringify({
    __metadata__: { seed: 'x' },
    'up.range_temp': { dtype: 'F32', shape: [], data_offsets: [0, 4] },
    'up.range_proj.0.weight': { dtype: 'BF16', shape: [2, 3, 1, 1], data_offsets: [4, 16] },
  });
  const headerLength = Buffer.alloc(8);
  headerLength.writeBigUInt64LE(BigInt(header.length));
  const own: Base[] = [
    {
      name: 'safetensors',
      bytes: Buffer.concat([headerLength, Buffer.from(header), Buffer.alloc(16, 60)]),
      file: (damaged) => damaged,
    },
    {
      name: 'a pickle in a good archive',
      bytes: pickle(
        dict({
          epoch: integer(7),
          state_dict: orderedDict({
            'up.range_temp': tensor({ ...vector, shape: [], strides: [] }),
            'up.range_proj.3.weight': tensor({ ...vector, shape: [2, 2], strides: [1, 2] }),
          }),
        }),
      ),
      file: (damaged) => archive(damaged),
    },
    {
      name: 'a TorchScript pickle in a good archive',
      bytes: pickle(
        scriptModule({ up: scriptModule({ range_temp: tensor({ ...vector, shape: [4], strides: [1] }) }) }),
      ),
      file: (damaged) =>
        archive(damaged, fourFloats, [{ name: 'archive/constants.pkl', bytes: pickle(tuple()) }]),
    },
    {
      name: 'a small archive',
      bytes: zip(
        [
          { name: 'a/data.pkl', bytes: pickle(dict({ 'up.range_temp': tensor(vector) })), deflated: true },
          { name: 'a/data/0', bytes: fourFloats, deflated: true },
        ],
        { zip64: true },
      ),
      file: (damaged) => damaged,
    },
    {
      name: 'a small legacy file',
      bytes: legacyFile(dict({ 'up.range_temp': tensor({ ...vector, legacy: true }) }), [
        ['0', 4, fourFloats],
      ]),
      file: (damaged) => damaged,
    },
  ];
  const published: Base[] = hasFixtures
    ? ['simfeatup-jbu-one.ckpt', 'simfeatup-jbu-one-legacy.ckpt', 'featup-jbu-stack.ckpt'].map((name) => ({
        name,
        bytes: readFileSync(path.join(checkpoints, name)),
        file: (damaged) => damaged,
      }))
    : [];
  const opcodes = Buffer.from('(.NRbQ)}]ut\x81\x85\x86\x87hqcXKMJe\x89\x88jrsaG\x8a', 'latin1');

  function damage(bytes: Buffer, random: () => number): Buffer {
    const out = Buffer.from(bytes);
    const whole = (limit: number): number => Math.floor(random() * limit);
    // Structure is at the start and the end of all formats.
    const anywhere = (): number => {
      const zone = whole(3);
      const span = Math.min(out.length, 4096);
      return zone === 0 ? whole(out.length) : zone === 1 ? whole(span) : out.length - 1 - whole(span);
    };
    const times = 1 + whole(3);
    for (let time = 0; time < times; time++) {
      const at = anywhere();
      switch (whole(6)) {
        case 0:
          out[at] = out[at]! ^ (1 << whole(8));
          break;
        case 1:
          return out.subarray(0, at);
        case 2:
          out[at] = opcodes[whole(opcodes.length)]!;
          break;
        case 3: {
          const huge = [0xffffffff, 0x7fffffff, 0x80000000, 0xffff0000, 0, 1][whole(6)]!;
          if (at + 4 <= out.length) out.writeUInt32LE(huge, at);
          break;
        }
        case 4: {
          const other = anywhere();
          const length = Math.min(whole(64), out.length - Math.max(at, other));
          out.copy(out, at, other, other + length);
          break;
        }
        default:
          return Buffer.concat([out.subarray(0, at), out.subarray(anywhere())]);
      }
    }
    return out;
  }

  it.each([
    ...own.map((base) => [base, 400] as const),
    ...published.map((base) => [base, 200] as const),
  ])('of $name are read or refused with the file and the reason', async (base, count) => {
    let refused = 0;
    let longest = 0;
    for (let seed = 0; seed < count; seed++) {
      const file = put(
        'mutated.pt',
        base.file(damage(base.bytes, randomStream(seed * 7919 + base.bytes.length))),
      );
      let problem: Problem | undefined;
      const before = process.cpuUsage();
      try {
        problem = await problemOf(file);
        const { user, system } = process.cpuUsage(before);
        longest = Math.max(longest, user + system);
      } catch (cause) {
        throw new Error(`mutation ${seed} of ${base.name}`, { cause });
      }
      if (!problem) continue;
      refused++;
      const well = problem.code.startsWith('checkpoint/') && problem.message.startsWith(`${file}: `);
      if (!well || problem.message.includes('\n')) throw new Error(`mutation ${seed}: ${problem.message}`);
    }
    // Most damage hits structure or is caught by a checksum.
    expect(refused).toBeGreaterThan(count / 4);
    expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(2 ** 30);
    // Processor time, in microseconds: other programs' work does not count.
    expect(longest).toBeLessThan(5e6);
  });
});
