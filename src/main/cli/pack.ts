import { Command, Option } from 'commander';
import type { Console } from './console.ts';

interface BuildOptions {
  checkpoint: string;
  upsampler?: string;
  vocabulary: string;
  out: string;
  activation?: 'quickgelu' | 'gelu';
  overwrite?: boolean;
  json?: boolean;
}

export function packCommand(door: Console): Command {
  return new Command('pack')
    .description('Build and inspect model packs.')
    .addCommand(buildCommand(door))
    .addCommand(packInfoCommand(door));
}

function buildCommand(door: Console): Command {
  return new Command('build')
    .description('Turn a CLIP checkpoint, and an upsampler, into a pack: a manifest and ONNX graphs.')
    .requiredOption('--checkpoint <file>', 'CLIP weights: safetensors or a PyTorch file')
    .option('--upsampler <file>', 'SimFeatUp or FeatUp weights (default: none, scores are then interpolated)')
    .requiredOption('--vocabulary <file>', "CLIP's byte-pair vocabulary, bpe_simple_vocab_16e6.txt.gz")
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
    .action(async (options: BuildOptions) => {
      const { createApp } = await import('../app.ts');
      const display = door.display(options.json ?? false);
      try {
        const { text, info } = await createApp().packBuild(
          {
            checkpoint: options.checkpoint,
            upsampler: options.upsampler ?? null,
            vocabulary: options.vocabulary,
            out: options.out,
            activation: options.activation ?? 'quickgelu',
            overwrite: options.overwrite ?? false,
          },
          { signal: door.signal, onProgress: display.report, onNote: display.note },
        );
        display.end();
        door.print(options.json ? JSON.stringify(info) : text);
      } finally {
        display.end();
      }
    });
}

function packInfoCommand(door: Console): Command {
  return new Command('info')
    .description('Tell geometry, files and origin of a pack, and check that its files are whole.')
    .argument('<folder>', 'folder of the pack')
    .option('--json', 'print one JSON object instead of text')
    .action(async (folder: string, options: { json?: boolean }) => {
      const { createApp } = await import('../app.ts');
      const { text, info } = await createApp().packInfo(folder, { signal: door.signal });
      door.print(options.json ? JSON.stringify(info, null, 2) : text);
    });
}
