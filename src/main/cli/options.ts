import { availableParallelism } from 'node:os';
import { Argument, Option } from 'commander';
import { decimal, wholeNumber } from './arguments.ts';

/** Arguments and options that several commands have, each said once. */
export const sceneArgument = () =>
  new Argument(
    '<scene>',
    'GeoTIFF, JPEG 2000, PNG, JPEG, a Sentinel product, or bands joined by +: red.tif+green.tif+blue.tif',
  );

export const packOption = () =>
  new Option(
    '--pack <pack>',
    'name of an installed pack, or a folder (default: $LANDSCRIBE_PACK, else the built-in starter)',
  );

export const attentionOption = () =>
  new Option(
    '--attention <variant>',
    "attention of the last layers (default: the pack's, segearth for optical scenes); clip keeps residual and MLP",
  ).choices(['segearth', 'sclip', 'gem', 'clearclip', 'maskclip', 'vanilla', 'clip']);

export const lastLayersOption = () =>
  new Option(
    '--last-layers <count>',
    "layers that use that attention, 1 or 2 (default: the pack's, 1 for optical scenes)",
  ).argParser(wholeNumber(1, 2));

export const windowOption = () =>
  new Option('--window <pixels>', 'side of a window in working pixels; 0 takes all as one')
    .argParser(wholeNumber(0, 4096))
    .default(224);

export const strideOption = () =>
  new Option('--stride <pixels>', 'step between windows in working pixels')
    .argParser(wholeNumber(1, 4096))
    .default(112);

export const modeOption = () =>
  new Option(
    '--mode <name>',
    'reference: every window by itself, as the papers do; fast: tokens of overlapping windows merged and upsampled once',
  )
    .choices(['reference', 'fast'])
    .default('reference');

export const lambdaOption = () =>
  new Option('--lambda <factor>', 'weight of the global bias alleviation, no unit')
    .argParser(decimal(-10, 10))
    .default(-0.3);

/** @param otherwise what is taken without it */
export const upsamplerOption = (otherwise = 'what the pack carries') =>
  new Option('--upsampler <name>', `brings features to full resolution (default: ${otherwise})`).choices([
    'simfeatup',
    'featup',
    'none',
  ]);

export const templatesOption = () =>
  new Option('--templates <set>', 'sentences that each word is read in')
    .choices(['imagenet', 'single', 'remote-sensing'])
    .default('imagenet');

export const encoderOption = (otherwise: string) =>
  new Option('--encoder <modality>', `image encoder of the pack (default: ${otherwise})`).choices([
    'optical',
    'sar',
  ]);

export const providerOption = () =>
  new Option('--provider <name>', 'what computes: the processor or a graphics card')
    .choices(['cpu', 'webgpu', 'cuda', 'dml', 'coreml'])
    .default('cpu');

export const threadsOption = () =>
  new Option('--threads <count>', 'processor threads')
    .argParser(wholeNumber(1, 1024))
    .default(availableParallelism(), 'all');
