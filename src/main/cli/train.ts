import { availableParallelism } from 'node:os';
import path from 'node:path';
import { Command, Option } from 'commander';
import type { TrainRequest } from '../../worker/steps/train.ts';
import { decimal, wholeNumber } from './arguments.ts';
import type { Console } from './console.ts';
import { watched } from './watched.ts';

interface RunFolder {
  out: string;
  threads: number;
}

/** Training, each command resumed by calling it again. */
export function trainCommand(door: Console): Command {
  return new Command('train')
    .description('Train models without Python; stopped with Ctrl-C, the same command resumes.')
    .addCommand(
      folderOptions(new Command('clip'))
        .description('Train a CLIP on labelled pictures.')
        .requiredOption('--config <file>', 'recipe, such as configs/starter/clip.json')
        .action((options: RunFolder & { config: string }) => train(door, { kind: 'clip', ...options })),
    )
    .addCommand(
      folderOptions(new Command('simfeatup'))
        .description("Train SimFeatUp's upsampler for a CLIP on any pictures.")
        .requiredOption('--config <file>', 'recipe, such as configs/starter/simfeatup.json')
        .requiredOption('--checkpoint <file>', "the CLIP's weights, safetensors under OpenCLIP's names")
        .action((options: RunFolder & { config: string; checkpoint: string }) =>
          train(door, { kind: 'simfeatup', ...options }),
        ),
    )
    .addCommand(
      folderOptions(new Command('alignearth'))
        .description('Train a SAR encoder towards a CLIP on pairs of optical and SAR pictures.')
        .requiredOption('--config <file>', 'recipe, such as configs/starter/alignearth.json')
        .requiredOption('--checkpoint <file>', "the CLIP's weights, safetensors under OpenCLIP's names")
        .action((options: RunFolder & { config: string; checkpoint: string }) =>
          train(door, { kind: 'alignearth', ...options }),
        ),
    )
    .addCommand(
      folderOptions(new Command('starter'))
        .description('Make the built-in pack again: its CLIP, upsampler, SAR encoder, and the pack.')
        .option('--configs <folder>', 'its recipes', 'configs/starter')
        .option('--pack <folder>', 'the pack, replaced if it exists (default: models/starter)')
        .option(
          '--quick',
          'two steps of every phase, to try the recipes; the pack goes into the out folder',
          false,
        )
        .option(
          '--finest <metres>',
          'finest working resolution that the pack asks for',
          decimal(0.01, 1000),
          0.4,
        )
        .action((options: RunFolder & { configs: string; pack?: string; finest: number; quick: boolean }) => {
          const { finest, ...rest } = options;
          // A trial must not replace the trained pack.
          const pack = rest.pack ?? (rest.quick ? path.join(rest.out, 'pack') : 'models/starter');
          return train(door, { kind: 'starter', finestResolution: finest, ...rest, pack });
        }),
    )
    .addCommand(
      new Command('sar-agreement')
        .description(
          "Compare a pack's SAR encoder with what its optical encoder sees in held-out optical twins.",
        )
        .requiredOption('--config <file>', 'recipe of the SAR encoder, whose held-out pairs are used')
        .requiredOption('--classes <list>', 'classes, as of segment')
        .option('--pack <folder>', 'the pack', 'models/starter')
        .option('--crops <count>', 'random crops of the pairs', wholeNumber(1), 40)
        .option('--side <pixels>', 'side of the crops', wholeNumber(32), 224)
        .option('--lambda <factor>', 'weight of the global bias alleviation', decimal(-10, 10), -0.3)
        .addOption(threadsOption())
        .action((options: Omit<Extract<TrainRequest, { kind: 'sar-agreement' }>, 'kind'>) =>
          train(door, { kind: 'sar-agreement', ...options }),
        ),
    );
}

function folderOptions(command: Command): Command {
  return command
    .requiredOption('--out <folder>', 'checkpoints, loss curve and weights')
    .addOption(threadsOption());
}

function threadsOption(): Option {
  return new Option('--threads <count>', 'processor threads; one makes a run repeatable bit for bit')
    .argParser(wholeNumber(1))
    .default(availableParallelism(), 'all');
}

async function train(door: Console, request: TrainRequest): Promise<void> {
  const { runTrain } = await import('../run/train.ts');
  const files = await watched(door, false, (watch) => runTrain(request, watch));
  door.print(files.join('\n'));
}
