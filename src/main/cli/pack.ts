import { Command, Option } from 'commander';
import { type Precision, precisions } from '../../worker/pack/precision.ts';
import { Problem } from '../../worker/report/problem.ts';
import type { Console } from './console.ts';
import { watched } from './watched.ts';

interface BuildOptions {
  checkpoint?: string;
  upsampler?: string;
  vocabulary?: string;
  pack?: string;
  precision: Precision;
  out: string;
  activation?: 'quickgelu' | 'gelu';
  overwrite?: boolean;
  json?: boolean;
}

export function packCommand(door: Console): Command {
  return new Command('pack')
    .description('Install, build and inspect model packs.')
    .addCommand(listCommand(door))
    .addCommand(installCommand(door))
    .addCommand(packInfoCommand(door))
    .addCommand(verifyCommand(door))
    .addCommand(removeCommand(door))
    .addCommand(buildCommand(door));
}

function listCommand(door: Console): Command {
  return new Command('list')
    .description('List the packs that can be installed, and those that are.')
    .option('--json', 'print one JSON array instead of text')
    .action(async (options: { json?: boolean }) => {
      const { describePacks } = await import('../run/pack.ts');
      const { text, info } = await describePacks();
      door.print(options.json ? JSON.stringify(info, null, 2) : text);
    });
}

interface InstallOptions {
  from?: string;
  mirror?: string;
  upsampler?: string;
  precision: Precision;
  yes?: boolean;
  overwrite?: boolean;
  keepDownloads?: boolean;
  json?: boolean;
}

const installHelp = `
Says source, size and licence of every file and asks before it downloads. Ctrl-C keeps what has come: the same command
goes on from there. HTTP_PROXY, HTTPS_PROXY and NO_PROXY are followed. Packs go to $LANDSCRIBE_HOME/packs (default: the
system's place for programs' files), those of another precision under their name and the precision: clip-b16-int8.
$LANDSCRIBE_REGISTRY names another list of models than the program's own (models/registry.json shows its form).

Examples:
  landscribe pack install clip-b16
  landscribe pack install clip-b16 --from /media/stick/models        a machine without network
  landscribe pack install clip-b16 --mirror https://models.example.org/ --yes`;

function precisionOption(): Option {
  return new Option(
    '--precision <kind>',
    'what the image encoder computes in: float16 is for graphics cards, int8 for processors',
  )
    .choices(precisions)
    .default('float32');
}

const buildHelp = `
int8 rounds the weights of linear layers to 7 bits and their inputs to 8: faster on processors, and near ties fall
differently. It runs with --provider cpu alone.

Examples:
  landscribe pack build --checkpoint ViT-B-16.pt --vocabulary bpe_simple_vocab_16e6.txt.gz --out packs/b16
  landscribe pack build --pack clip-b16 --precision int8 --out packs/b16-int8`;

function installCommand(door: Console): Command {
  return new Command('install')
    .description('Download a published model, convert it and try it out.')
    .argument('<name>', 'one of landscribe pack list')
    .option('--from <folder>', 'take the published files from here instead of downloading them')
    .option(
      '--mirror <address>',
      'download all files from here, by their names (default: $LANDSCRIBE_MIRROR)',
    )
    .option(
      '--upsampler <name>',
      "simfeatup, featup-clip, featup-maskclip or none (default: the model's own)",
    )
    .addOption(precisionOption())
    .option('--yes', 'download without asking; you agree to the licences')
    .option('--overwrite', 'replace an installed pack of this name (default: stop)')
    .option(
      '--keep-downloads',
      'keep the downloaded files for other packs (default: delete them when installed)',
    )
    .option('--json', 'print one JSON object about the pack')
    .addHelpText('after', installHelp)
    .action(async (name: string, options: InstallOptions) => {
      const { runPackInstall } = await import('../run/pack.ts');
      const { text, info } = await watched(door, options.json, (watch) =>
        runPackInstall(
          {
            name,
            from: options.from ?? null,
            mirror: options.mirror ?? null,
            upsampler: options.upsampler ?? null,
            precision: options.precision,
            overwrite: options.overwrite ?? false,
            keepDownloads: options.keepDownloads ?? false,
          },
          {
            ...watch,
            async confirm(plan) {
              watch.onNote(plan);
              const question = 'Download these files? [y/N] ';
              // Nobody agrees to what was not shown.
              return options.yes === true || door.confirm(options.json ? `${plan}\n${question}` : question);
            },
          },
        ),
      );
      door.print(options.json ? JSON.stringify(info) : text);
    });
}

function verifyCommand(door: Console): Command {
  return new Command('verify')
    .description("Check a pack's files and try it out.")
    .argument('<pack>', 'name of an installed pack, or a folder')
    .option('--json', 'print one JSON object instead of text')
    .action(async (pack: string, options: { json?: boolean }) => {
      const { runPackVerify } = await import('../run/pack.ts');
      const { text, info } = await runPackVerify(pack, { signal: door.signal });
      door.print(options.json ? JSON.stringify(info) : text);
    });
}

function removeCommand(door: Console): Command {
  return new Command('remove')
    .description('Remove an installed pack.')
    .argument('<name>', 'name of an installed pack')
    .option('--json', 'print one JSON object instead of text')
    .action(async (name: string, options: { json?: boolean }) => {
      const { runPackRemove } = await import('../run/pack.ts');
      const { text, info } = await runPackRemove(name);
      door.print(options.json ? JSON.stringify(info) : text);
    });
}

function buildCommand(door: Console): Command {
  return new Command('build')
    .description('Turn a CLIP checkpoint, and an upsampler, into a pack: a manifest and ONNX graphs.')
    .option('--checkpoint <file>', 'CLIP weights: safetensors or a PyTorch file')
    .option('--upsampler <file>', 'SimFeatUp or FeatUp weights (default: none, scores are then interpolated)')
    .option('--vocabulary <file>', "CLIP's byte-pair vocabulary, bpe_simple_vocab_16e6.txt.gz")
    .option(
      '--pack <pack>',
      'instead of these files: take everything from a pack, to have it in another precision',
    )
    .addOption(precisionOption())
    .requiredOption('--out <folder>', 'folder of the pack')
    .addOption(
      new Option(
        '--activation <name>',
        'activation of the MLPs: quickgelu for OpenAI and MetaCLIP weights, gelu for OpenCLIP and most remote-sensing ones',
      )
        .choices(['quickgelu', 'gelu'])
        .default('quickgelu'),
    )
    .option('--overwrite', 'replace an existing pack (default: stop)')
    .option('--json', 'print one JSON object about the pack')
    .addHelpText('after', buildHelp)
    .action(async (options: BuildOptions) => {
      const { buildPackInThread } = await import('../run/pack.ts');
      const request = buildRequest(options);
      const { text, info } = await watched(door, options.json, (watch) => buildPackInThread(request, watch));
      door.print(options.json ? JSON.stringify(info) : text);
    });
}

function buildRequest({ pack, checkpoint, vocabulary, ...options }: BuildOptions) {
  const common = { out: options.out, precision: options.precision, overwrite: options.overwrite ?? false };
  if (pack !== undefined && checkpoint === undefined && vocabulary === undefined && !options.upsampler)
    return { ...common, pack };
  if (pack === undefined && checkpoint !== undefined && vocabulary !== undefined)
    return {
      ...common,
      checkpoint,
      vocabulary,
      upsampler: options.upsampler ?? null,
      activation: options.activation ?? 'quickgelu',
    };
  throw new Problem(
    'usage',
    'A pack is built either from --checkpoint and --vocabulary or from --pack.',
    'See landscribe pack build --help.',
  );
}

function packInfoCommand(door: Console): Command {
  return new Command('info')
    .description('Tell geometry, files and origin of a pack, and check that its files are whole.')
    .argument('<pack>', 'name of an installed pack, or a folder')
    .option('--json', 'print one JSON object instead of text')
    .action(async (folder: string, options: { json?: boolean }) => {
      const { describePack } = await import('../run/pack.ts');
      const { text, info } = await describePack(folder, { signal: door.signal });
      door.print(options.json ? JSON.stringify(info, null, 2) : text);
    });
}
