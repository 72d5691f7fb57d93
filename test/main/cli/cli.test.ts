import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EngineThread } from '../../../src/main/engine/engine-thread.ts';
import type { SegmentSummary } from '../../../src/main/run/segment.ts';
import { GeoTiffReader } from '../../../src/worker/classmap/geotiff-reader.ts';
import { openPack } from '../../../src/worker/pack/open-pack.ts';
import { type CliResult, cliFile, runCli } from './run-cli.ts';

const has = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;
const withGdal = has('gdalinfo', '--version');
/** A mount of its own, without being root. */
const withMounts = has('unshare', '-rm', 'sh', '-c', 'mount -t tmpfs none /mnt');
if (!withGdal) console.warn('gdalinfo is not installed: outputs are not compared with GDAL');
if (!withMounts) console.warn('no mounts here: a full disk and a read-only folder are not tried');

let base: string;
let scene: string;
let pack: string;
/** An empty folder for each test. */
let folder: string;

beforeAll(async () => {
  base = mkdtempSync(path.join(tmpdir(), 'landscribe-cli-'));
  pack = path.join(base, 'pack');
  const thread = new EngineThread('test');
  const made = await thread.run('makeDemoScene', { folder: base, seed: 2, size: 300, software: 'test' });
  scene = made.scenePath;
  await thread.run('buildRandomPack', { out: pack, overwrite: false });
  await thread.close();
});
afterAll(() => rmSync(base, { recursive: true, force: true }));
beforeEach(() => {
  folder = mkdtempSync(path.join(base, 'out-'));
});

const classes = 'building,roof; road; tree; water';
/** Few words, one template, no upsampler: fast. */
const quick = ['--templates', 'single', '--upsampler', 'none', '--resolution', 'native'];

function segment(args: readonly string[], options: Parameters<typeof runCli>[1] = {}): Promise<CliResult> {
  return runCli(['segment', ...args], { cwd: folder, ...options });
}

/** One line, the code, nothing on standard output. */
function expectFailure(result: CliResult, message: RegExp, code = 1): void {
  expect(result.stderr).toMatch(message);
  expect(result.stderr).toMatch(/^landscribe: [^\n]+\n$/);
  expect(result.stdout).toBe('');
  expect(result.code).toBe(code);
}

describe('the command line', () => {
  it.each([
    [['--help']],
    [['segment', '--help']],
    [['info', '--help']],
    [['pack', 'build', '--help']],
    [['demo', '--help']],
  ])('explains itself: %s', async (args) => {
    const { code, stdout, stderr } = await runCli(args);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toContain('Usage: landscribe');
  });

  it('explains every option of segment', async () => {
    const { stdout } = await runCli(['segment', '--help']);
    const options =
      'pack bands window stride attention last-layers lambda upsampler templates threshold background provider threads memory min-area simplify format json resolution extent out overwrite classes classes-file';
    for (const option of options.split(' ')) expect(stdout).toContain(`--${option}`);
  });

  it('ends though nobody reads what it says (2>&1 | head)', async () => {
    const { code } = await runCli(['info', 'missing.tif'], {
      onStart: (child) => {
        child.stdout!.destroy();
        child.stderr!.destroy();
      },
    });
    expect(code).toBe(1);
  });

  it('answers a wrong call with one line and code 2', async () => {
    expectFailure(await segment([scene, '--windw', '3']), /--windw/, 2);
    expectFailure(await segment([scene, '--window', 'wide']), /whole number/, 2);
    expectFailure(await segment([scene, '--format', 'dxf']), /dxf/, 2);
    expectFailure(await segment([]), /scene/, 2);
    expectFailure(await segment([scene, '--pack', pack]), /--classes/, 2);
    expectFailure(await runCli(['paint']), /paint/, 2);
  });

  it('refuses words and classes that objects have of themselves as it does others', async () => {
    expectFailure(
      await segment([scene, '--pack', pack, '--classes', 'road; @constructor']),
      /name the example @constructor, and there is none/,
    );
    expectFailure(
      await segment([
        scene,
        '--pack',
        pack,
        '--classes',
        'constructor; road',
        '--threshold',
        'road=0.3',
        '--bands',
        '9',
        '--json',
      ]),
      /--bands 9/,
    );
  });

  it('fails where none of the benchmark’s sets is found', async () => {
    const { code, stdout, stderr } = await runCli(
      ['benchmark', '--all', '--pack', pack, '--data', 'missing', '--json'],
      { cwd: folder },
    );
    expect(stderr).toMatch(/^landscribe: None of the sets was found in missing\.[^\n]*\n$/);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ results: [], failed: [] });
  });

  it('says before any work that a result could not be written', async () => {
    writeFileSync(path.join(folder, 'classes.txt'), 'road\nwater\n');
    const evaluate = (...args: string[]) =>
      runCli(
        [
          'evaluate',
          '--pack',
          pack,
          '--images',
          '.',
          '--labels',
          '.',
          '--classes-file',
          'classes.txt',
          ...args,
        ],
        { cwd: folder },
      );
    for (const option of ['--csv', '--picture', '--out']) {
      expectFailure(
        await evaluate(option, path.join('missing', 'file')),
        /missing.file: the folder .* does not exist/,
      );
      expectFailure(await evaluate(option, folder), /is a folder/);
    }
    const compare = (...args: string[]) =>
      runCli(['compare', 'one.tif', 'two.tif', ...args], { cwd: folder });
    expectFailure(
      await compare('--out', path.join('missing', 'file.tif')),
      /missing.file.tif: the folder .* does not/,
    );
    writeFileSync(path.join(folder, 'classes.txt'), 'road\n@pool\n');
    expectFailure(await evaluate(), /the example @pool, and a place in one picture is none in the others/);
    expectFailure(await compare('--out', '.', '--overwrite'), /is a folder/);
    expectFailure(await compare('--second-class', 'road'), /--second-class is given without --class/, 2);
    expectFailure(await segment([scene, '--pack', pack, '--classes-file', folder]), /out-.*: is a folder/);
    expect(readdirSync(folder)).toEqual(['classes.txt']);
  });

  it.each([
    ['segment --help', 'onnxruntime|sharp|better-sqlite3|geotiff|/zod/'],
    ['info', 'onnxruntime|sharp|better-sqlite3'],
  ])('loads nothing heavy for %s', (command, heavy) => {
    const hook = path.join(base, 'hook.mjs');
    writeFileSync(
      hook,
      `import { registerHooks } from 'node:module';
      registerHooks({ load(url, context, next) {
        if (new RegExp(${JSON.stringify(heavy)}).test(url)) throw new Error('loaded ' + url);
        return next(url, context);
      } });`,
    );
    const args = command === 'info' ? ['info', scene] : command.split(' ');
    execFileSync(process.execPath, ['--import', hook, cliFile, ...args]);
  });
});

describe('info', () => {
  it('tells what a scene declares', async () => {
    const text = await runCli(['info', scene]);
    expect(text.code).toBe(0);
    expect(text.stdout).toContain('EPSG:32632');
    const json = JSON.parse((await runCli(['info', scene, '--json'])).stdout);
    expect(json).toMatchObject({ width: 300, height: 300, crs: { epsg: 32632 } });
  });
});

describe('segment', () => {
  it('writes every format and says what it did', async () => {
    const result = await segment([
      ...[scene, '--pack', pack, '--classes', classes, '--format', 'gpkg,geojson,shp,tif'],
      ...['--out', 'map', '--json', '--min-area', '3', '--templates', 'single'],
    ]);
    expect(result.stderr).toBe('');
    expect(result.code).toBe(0);
    const summary = JSON.parse(result.stdout) as SegmentSummary;
    expect(summary).toMatchObject({
      width: 300,
      height: 300,
      crs: 'EPSG:32632',
      resumed: false,
      unclassified: 0,
    });
    expect(summary.classes.map(({ name }) => name)).toEqual(['building', 'road', 'tree', 'water']);
    expect(summary.classes.reduce((sum, { pixels }) => sum + pixels, 0)).toBe(300 * 300);
    expect(summary.classes.reduce((sum, { area }) => sum + area!, 0)).toBeCloseTo(300 * 300 * 0.25, 3);
    for (const output of summary.outputs) expect(existsSync(output), output).toBe(true);
    expect(readdirSync(folder).filter((name) => /part/.test(name))).toEqual([]);
    if (!withGdal) return;
    for (const layer of ['map.gpkg', 'map.geojson', 'map.shp']) {
      const { stdout, stderr } = spawnSync('ogrinfo', ['-al', '-so', layer], {
        cwd: folder,
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      expect(stdout).toContain(`Feature Count: ${summary.polygons}`);
    }
    const { stdout, stderr } = spawnSync('gdalinfo', ['map.tif'], { cwd: folder, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/ID\["EPSG",32632\]/);
  });

  it('stops at Ctrl-C, keeps finished strips, and resumes to the same bytes', async () => {
    const thread = new EngineThread('test');
    const place = path.join(folder, 'large');
    const large = await thread.run('makeDemoScene', { folder: place, seed: 2, size: 640, software: 'test' });
    await thread.close();
    const many = ['--window', '64', '--stride', '32', '--format', 'tif', ...quick];
    const args = [large.scenePath, '--pack', pack, '--classes', classes, ...many];
    const whole = await segment([...args, '--out', 'whole', '--json']);
    expect(whole.stderr).toBe('');

    // The journal of the class map begins with a line about the run and gains one with each finished strip.
    const journal = path.join(folder, 'part.landscribe-partial', 'classes.tif.part.journal');
    let interrupted = 0;
    const stopped = await segment([...args, '--out', 'part'], {
      onStart(child) {
        const timer = setInterval(() => {
          if (!existsSync(journal) || readFileSync(journal, 'utf8').split('\n').length < 3) return;
          clearInterval(timer);
          interrupted++;
          child.kill('SIGINT');
          child.kill('SIGINT');
        }, 5);
        child.on('close', () => clearInterval(timer));
      },
    });
    expect(interrupted).toBe(1);
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.signal).toBe(null);
    expect(stopped.stderr.trim().split('\n').at(-1)).toMatch(/^landscribe: Cancelled.*same command resumes/);
    expect(existsSync(path.join(folder, 'part.tif'))).toBe(false);
    expect(existsSync(path.join(folder, 'part.landscribe-partial'))).toBe(true);

    const other = await segment([...args, '--out', 'part', '--lambda', '0', '--json']);
    expectFailure(other, /other settings.*--overwrite/);

    const resumed = await segment([...args, '--out', 'part', '--json']);
    expect(resumed.stderr).toBe('');
    expect((JSON.parse(resumed.stdout) as SegmentSummary).resumed).toBe(true);
    expect(existsSync(path.join(folder, 'part.landscribe-partial'))).toBe(false);
    for (const ending of ['tif', 'confidence.tif']) {
      const [left, right] = ['whole', 'part'].map((name) => pixelsOf(path.join(folder, `${name}.${ending}`)));
      expect(left!.equals(right!), ending).toBe(true);
    }
  });

  it('gives the same pixels for any threads, memory and extent', async () => {
    const rest = [scene, '--pack', pack, '--classes', classes, '--templates', 'single', '--format', 'tif'];
    const whole = await segment([...rest, '--out', 'whole', '--threads', '1']);
    expect(whole.code, whole.stderr).toBe(0);
    const lanes = await segment([...rest, '--out', 'lanes', '--threads', '3', '--json']);
    expect(lanes.stderr).toBe('');
    expect((JSON.parse(lanes.stdout) as SegmentSummary).lanes).toBe(3);
    for (const ending of ['tif', 'confidence.tif']) {
      const [left, right] = ['whole', 'lanes'].map((name) =>
        pixelsOf(path.join(folder, `${name}.${ending}`)),
      );
      expect(left!.equals(right!), ending).toBe(true);
    }
    const [column, row, width, height] = [37, 101, 150, 120];
    const part = await segment([
      ...rest,
      '--out',
      'part',
      '--extent',
      `pixels:${column},${row},${width},${height}`,
    ]);
    expect(part.code, part.stderr).toBe(0);
    const all = await readRaster(path.join(folder, 'whole.tif'));
    const cut = await readRaster(path.join(folder, 'part.tif'));
    expect([cut.width, cut.height]).toEqual([width, height]);
    for (let y = 0; y < height; y++) {
      const start = (row + y) * all.width + column;
      expect(cut.classes.subarray(y * width, (y + 1) * width)).toEqual(
        all.classes.subarray(start, start + width),
      );
    }
  });

  it('takes 300 classes', async () => {
    const file = path.join(folder, 'classes.txt');
    writeFileSync(file, Array.from({ length: 300 }, (_, index) => `class ${index}`).join('\n'));
    const result = await segment([
      scene,
      '--pack',
      pack,
      '--classes-file',
      file,
      '--out',
      'many.tif',
      '--json',
      ...quick,
    ]);
    expect(result.stderr).toBe('');
    expect((JSON.parse(result.stdout) as SegmentSummary).classes).toHaveLength(300);
  });

  it('takes a scene without a CRS, in pixels', async () => {
    const { default: sharp } = await import('sharp');
    const image = path.join(folder, 'plain.png');
    await sharp({ create: { width: 80, height: 60, channels: 3, background: '#558855' } })
      .png()
      .toFile(image);
    const result = await segment([
      image,
      '--pack',
      pack,
      '--classes',
      classes,
      '--out',
      'plain.gpkg',
      '--json',
      ...quick,
    ]);
    expect(result.stderr).toBe('');
    const summary = JSON.parse(result.stdout) as SegmentSummary;
    expect(summary.crs).toBe(null);
    expect(summary.classes.reduce((sum, { area }) => sum + area!, 0)).toBe(80 * 60);
  });
});

describe('bad input: one line, a code, and nothing half-written', () => {
  const run = (args: readonly string[], options: Parameters<typeof runCli>[1] = {}) =>
    segment([...args, '--out', 'map', '--json', ...quick], options);

  it('a scene that is missing, no raster, or cut short', async () => {
    const text = path.join(base, 'notes.tif');
    writeFileSync(text, 'not a raster');
    const cut = path.join(base, 'cut.tif');
    cpSync(scene, cut);
    truncateSync(cut, 40_000);
    const rest = ['--pack', pack, '--classes', classes];
    expectFailure(await run(['missing.tif', ...rest]), /missing\.tif/);
    expectFailure(await run([text, ...rest]), /notes\.tif/);
    expectFailure(await run([cut, ...rest]), /cut\.tif/);
    expectFailure(await run([base, ...rest]), /folder/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('classes that are none, empty, doubled, too long, or in no file', async () => {
    const rest = [scene, '--pack', pack];
    expectFailure(await run([...rest, '--classes', ' ']), /class/);
    expectFailure(await run([...rest, '--classes', 'a;;b']), /empty/);
    expectFailure(await run([...rest, '--classes', 'a; b; A']), /both/);
    expectFailure(await run([...rest, '--classes', 'x'.repeat(10_000)]), /10000 characters/);
    expectFailure(await run([...rest, '--classes-file', 'none.txt']), /none\.txt/);
    expectFailure(await run([...rest, '--classes', classes, '--background', 'sky']), /sky/);
    expectFailure(await run([...rest, '--classes', classes, '--threshold', '0.1,0.2']), /2 thresholds/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('a pack that is none, misses a file, or has a damaged one', async () => {
    const rest = [scene, '--classes', classes, '--pack'];
    // Without --pack it is the built-in starter, which knows its words and no others.
    expectFailure(await run([scene, '--classes', 'water; zeppelin']), /does not know "zeppelin"/);
    expectFailure(await run([...rest, base]), /not a model pack/);
    const copy = path.join(base, 'damaged');
    for (const file of Object.keys((await openPack(pack)).manifest.files)) {
      cpSync(pack, copy, { recursive: true });
      const target = path.join(copy, file);
      const bytes = readFileSync(target);
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(target, bytes);
      if (/vision-segearth-1|weights|vocabulary/.test(file))
        expectFailure(await run([...rest, copy]), /damaged/);
      rmSync(target);
      if (/upsampler|text/.test(file)) expectFailure(await run([...rest, copy]), /missing/);
      rmSync(copy, { recursive: true });
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('settings that the scene or the pack cannot follow', async () => {
    const rest = [scene, '--pack', pack, '--classes', classes];
    expectFailure(await run([...rest, '--extent', '0,0,1,1']), /does not touch/);
    expectFailure(await run([...rest, '--bands', '9']), /band/i);
    expectFailure(await run([...rest, '--stride', '500']), /stride/i);
    const foreign = process.platform === 'win32' ? 'coreml' : 'dml';
    expectFailure(await run([...rest, '--provider', foreign]), /provider/);
    expectFailure(await segment([...rest, '--upsampler', 'featup', '--json']), /featup/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('outputs that exist, or whose folder does not', async () => {
    const rest = [scene, '--pack', pack, '--classes', classes];
    writeFileSync(path.join(folder, 'map.gpkg'), 'mine');
    expectFailure(await run(rest), /map\.gpkg.*--overwrite/);
    expect(readFileSync(path.join(folder, 'map.gpkg'), 'utf8')).toBe('mine');
    expect(readdirSync(folder)).toEqual(['map.gpkg']);
    expectFailure(await segment([...rest, '--out', 'nowhere/map', '--json']), /nowhere/);
    const copy = path.join(folder, 'scene.tif');
    cpSync(scene, copy);
    expectFailure(
      await segment([
        copy,
        '--pack',
        pack,
        '--classes',
        classes,
        '--out',
        'scene.tif',
        '--overwrite',
        '--json',
      ]),
      /would replace the scene/,
    );
    expect(readFileSync(copy).equals(readFileSync(scene))).toBe(true);
  });

  /** Runs in a mount namespace whose `mount point` is a file system of its own; lists what is left there. */
  async function onMount(options: string, prepare: string): Promise<{ result: CliResult; left: string[] }> {
    const place = path.join(folder, 'disk');
    const list = path.join(folder, 'left.txt');
    mkdirSync(place);
    const script = `set -e; place=$1; list=$2; shift 2; mount -t tmpfs ${options} none "$place"; ${prepare}
      set +e; "$@"; code=$?; ls -A "$place" > "$list"; exit $code`;
    const result = await runCli(
      [
        'segment',
        scene,
        '--pack',
        pack,
        '--classes',
        classes,
        '--out',
        path.join(place, 'map'),
        '--json',
        ...quick,
      ],
      { command: ['unshare', '-rm', 'sh', '-c', script, 'sh', place, list, process.execPath, cliFile] },
    );
    return { result, left: readFileSync(list, 'utf8').split('\n').filter(Boolean) };
  }

  it.skipIf(!withMounts).each(['24k', '160k'])('a disk that is full at %s', async (size) => {
    const { result, left } = await onMount(`-o size=${size}`, '');
    expectFailure(result, /full/);
    expect(left.filter((name) => !name.endsWith('.landscribe-partial'))).toEqual([]);
  });

  it.skipIf(!withMounts)('a disk that is read-only', async () => {
    const { result, left } = await onMount('-o size=1m', 'mount -o remount,ro "$place"');
    expectFailure(result, /read-only/);
    expect(left).toEqual([]);
  });
});

describe('demo', () => {
  it('goes the whole road without data, and says that random labels mean nothing', async () => {
    const { code, stdout, stderr } = await runCli(
      ['demo', '--out', 'demo', '--size', '128', '--pack', 'random'],
      {
        cwd: folder,
      },
    );
    expect(stderr).not.toContain('landscribe:');
    expect(code).toBe(0);
    expect(stdout).toContain('labels mean nothing');
    for (const file of [
      'scene.tif',
      'truth.tif',
      'preview.png',
      'result.gpkg',
      'result.geojson',
      'result.tif',
    ]) {
      expect(existsSync(path.join(folder, 'demo', file)), file).toBe(true);
    }
  });

  it('leaves other people’s folders alone', async () => {
    writeFileSync(path.join(folder, 'scene.tif'), 'mine');
    expectFailure(await runCli(['demo', '--out', folder, '--json']), /other files/);
    expect(readdirSync(folder)).toEqual(['scene.tif']);
  });
});

async function readRaster(file: string): Promise<{ width: number; height: number; classes: Uint8Array }> {
  const reader = await GeoTiffReader.open(file);
  const { width, height } = reader;
  const classes = await reader.readRows(0, height, new Uint8Array(width * height));
  await reader.close();
  return { width, height, classes };
}

/** All bytes after the description's date, which differs between runs: the tiles are in front of the directory. */
function pixelsOf(file: string): Buffer {
  const bytes = readFileSync(file);
  return bytes.subarray(8, bytes.readUInt32LE(4));
}
