import { Problem } from '../report/problem.ts';
import type { ElementType } from './elements.ts';
import { calls, constants, isCount, scriptCalls, scriptClass, storageTypes } from './pickle-globals.ts';
import {
  PickleDict,
  PickleGlobal,
  PickleInstance,
  PickleTuple,
  type PickleValue,
  StorageReference,
} from './pickle-values.ts';

export interface Unpickled {
  value: PickleValue;
  /** Bytes. */
  length: number;
  /** Every storage the pickle refers to, by key. */
  storageTypes: ReadonlyMap<string, ElementType>;
}

/** The end of the bytes was met before the end of the pickle. */
export class PickleCutShort extends Error {}

/** A trainer checkpoint of ViT-L with its optimiser needs about 60,000 instructions. */
const instructionLimit = 2_000_000;
const stackLimit = 1_000_000;
const integerBytesLimit = 32;

/**
 * Reads one pickle from the start of `bytes` (protocols 2 to 5, the instructions that tensors need) and returns its
 * value. Nothing in the file is ever run: a name outside `pickle-globals.ts` is refused, by name, with
 * `checkpoint/forbidden-global`. `script` also admits TorchScript's own classes as bags of attributes. Throws
 * `PickleCutShort` if `bytes` ends first. Instructions: Python's pickletools.
 */
export function unpickle(path: string, bytes: Uint8Array, { script = false } = {}): Unpickled {
  return new Unpickler(path, bytes, script).run();
}

class Unpickler {
  readonly #path: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #script: boolean;
  #at = 0;
  /** Values since the innermost mark. */
  #stack: PickleValue[] = [];
  /** The stacks that marks interrupted. */
  readonly #marked: PickleValue[][] = [];
  readonly #memo = new Map<number, PickleValue>();
  readonly #storageTypes = new Map<string, ElementType>();
  #values = 0;

  constructor(path: string, bytes: Uint8Array, script: boolean) {
    this.#path = path;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#script = script;
  }

  run(): Unpickled {
    for (let instruction = 0; instruction < instructionLimit; instruction++) {
      const opcode = this.#byte();
      if (opcode === 0x2e) {
        const value = this.#pop();
        if (this.#stack.length > 0 || this.#marked.length > 0) throw this.#corrupt('it leaves values behind');
        return { value, length: this.#at, storageTypes: this.#storageTypes };
      }
      this.#step(opcode);
    }
    throw this.#corrupt(`it has more than ${instructionLimit} instructions`);
  }

  #step(opcode: number): void {
    switch (opcode) {
      case 0x80: {
        const protocol = this.#byte();
        if (protocol < 2 || protocol > 5) throw this.#corrupt(`it has protocol ${protocol}`);
        return;
      }
      case 0x95: // FRAME
        this.#take(8);
        return;
      case 0x28: // MARK
        if (this.#marked.length >= stackLimit) throw this.#corrupt('its marks are too deep');
        this.#marked.push(this.#stack);
        this.#stack = [];
        return;
      case 0x4e: // NONE
        this.#push(null);
        return;
      case 0x88: // NEWTRUE
        this.#push(true);
        return;
      case 0x89: // NEWFALSE
        this.#push(false);
        return;
      case 0x4b: // BININT1
        this.#push(this.#byte());
        return;
      case 0x4d: // BININT2
        this.#push(this.#view.getUint16(this.#take(2), true));
        return;
      case 0x4a: // BININT
        this.#push(this.#view.getInt32(this.#take(4), true));
        return;
      case 0x8a: // LONG1
        this.#push(this.#integer(this.#byte()));
        return;
      case 0x47: // BINFLOAT
        this.#push(this.#view.getFloat64(this.#take(8), false));
        return;
      case 0x58: // BINUNICODE
        this.#push(this.#text(this.#count4()));
        return;
      case 0x8c: // SHORT_BINUNICODE
        this.#push(this.#text(this.#byte()));
        return;
      case 0x55: // SHORT_BINSTRING, written by Python 2
        this.#push(this.#text(this.#byte()));
        return;
      case 0x54: // BINSTRING
        this.#push(this.#text(this.#count4()));
        return;
      case 0x5d: // EMPTY_LIST
        this.#push([]);
        return;
      case 0x7d: // EMPTY_DICT
        this.#push(new PickleDict());
        return;
      case 0x29: // EMPTY_TUPLE
        this.#push(new PickleTuple([]));
        return;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: {
        // TUPLE3
        const items: PickleValue[] = [];
        for (let index = 0; index < opcode - 0x84; index++) items.unshift(this.#pop());
        this.#push(new PickleTuple(items));
        return;
      }
      case 0x74: // TUPLE
        this.#push(new PickleTuple(this.#popMark()));
        return;
      case 0x61: // APPEND
        this.#append([this.#pop()]);
        return;
      case 0x65: // APPENDS
        this.#append(this.#popMark());
        return;
      case 0x73: {
        // SETITEM
        const value = this.#pop();
        this.#setItems([this.#pop(), value]);
        return;
      }
      case 0x75: // SETITEMS
        this.#setItems(this.#popMark());
        return;
      case 0x71: // BINPUT
        this.#remember(this.#byte());
        return;
      case 0x72: // LONG_BINPUT
        this.#remember(this.#count4());
        return;
      case 0x94: // MEMOIZE
        this.#remember(this.#memo.size);
        return;
      case 0x68: // BINGET
        this.#recall(this.#byte());
        return;
      case 0x6a: // LONG_BINGET
        this.#recall(this.#count4());
        return;
      case 0x63: {
        // GLOBAL
        const module = this.#line();
        this.#push(this.#global(module, this.#line()));
        return;
      }
      case 0x93: {
        // STACK_GLOBAL
        const name = this.#pop();
        const module = this.#pop();
        if (typeof module !== 'string' || typeof name !== 'string')
          throw this.#corrupt('a global has no name');
        this.#push(this.#global(module, name));
        return;
      }
      case 0x69: {
        // INST: a call by name in one instruction; torch never writes it.
        const module = this.#line();
        throw this.#forbidden(module, this.#line());
      }
      case 0x52: // REDUCE
        this.#reduce();
        return;
      case 0x81: // NEWOBJ
        this.#newObject();
        return;
      case 0x62: // BUILD
        this.#build();
        return;
      case 0x51: // BINPERSID
        this.#push(this.#storage(this.#pop()));
        return;
      default:
        throw new Problem(
          'checkpoint/forbidden-instruction',
          `${this.#path}: its pickle holds the instruction 0x${opcode.toString(16).padStart(2, '0')} at byte ${
            this.#at - 1
          }, which no tensor needs; refused.`,
          'Use a file that holds only a state_dict.',
        );
    }
  }

  #push(value: PickleValue): void {
    if (++this.#values > instructionLimit || this.#stack.length >= stackLimit)
      throw this.#corrupt('it builds too many values');
    this.#stack.push(value);
  }

  #pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined) throw this.#corrupt('it takes a value from an empty stack');
    return value;
  }

  #top(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined) throw this.#corrupt('it takes a value from an empty stack');
    return value;
  }

  #popMark(): PickleValue[] {
    const items = this.#stack;
    const below = this.#marked.pop();
    if (!below) throw this.#corrupt('it ends a group that it never began');
    this.#stack = below;
    return items;
  }

  #remember(index: number): void {
    this.#memo.set(index, this.#top());
  }

  #recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#corrupt(`it recalls value ${index}, which it never stored`);
    this.#push(value);
  }

  #append(items: PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#corrupt('it appends to something that is no list');
    for (const item of items) list.push(item);
  }

  #setItems(items: PickleValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof PickleDict) || items.length % 2 !== 0)
      throw this.#corrupt('it sets items of no dict');
    for (let index = 0; index < items.length; index += 2) dict.entries.set(items[index]!, items[index + 1]!);
  }

  #global(module: string, name: string): PickleGlobal {
    const full = `${module}.${name}`;
    const known = calls.has(full) || storageTypes.has(full) || constants.has(full);
    if (known || (this.#script && (scriptCalls.has(full) || scriptClass.test(full))))
      return new PickleGlobal(full);
    throw this.#forbidden(module, name);
  }

  #reduce(): void {
    const args = this.#pop();
    const callable = this.#pop();
    if (!(callable instanceof PickleGlobal) || !(args instanceof PickleTuple))
      throw this.#corrupt('it calls something that is no function');
    const call = calls.get(callable.name) ?? scriptCalls.get(callable.name);
    const result = call?.(args.items);
    if (result === undefined) throw this.#corrupt(`it calls ${callable.name} with arguments that do not fit`);
    this.#push(result);
  }

  #newObject(): void {
    const args = this.#pop();
    const type = this.#pop();
    if (!(type instanceof PickleGlobal) || !(args instanceof PickleTuple) || args.items.length > 0)
      throw this.#corrupt('it makes an object of no class');
    const dict = type.name === 'collections.OrderedDict';
    if (!dict && !scriptClass.test(type.name)) throw this.#corrupt(`it makes an object of ${type.name}`);
    this.#push(dict ? new PickleDict() : new PickleInstance(type.name));
  }

  #build(): void {
    const state = this.#pop();
    const target = this.#top();
    if (target instanceof PickleInstance && state instanceof PickleDict) {
      for (const [key, value] of state.entries) target.attributes.entries.set(key, value);
    } else if (!(target instanceof PickleDict)) {
      throw this.#corrupt('it sets the state of something that has none');
    }
    // An OrderedDict's own state is only `_metadata`: version numbers of its modules.
  }

  #storage(id: PickleValue): StorageReference {
    const items = id instanceof PickleTuple ? id.items : [];
    const [kind, type, key, , count, view] = items;
    const element = type instanceof PickleGlobal ? storageTypes.get(type.name) : undefined;
    if (kind !== 'storage' || !element || typeof key !== 'string' || !isCount(count))
      throw this.#corrupt('it refers to something that is no storage');
    if ((this.#storageTypes.get(key) ?? element) !== element)
      throw this.#corrupt('it gives one storage two element types');
    this.#storageTypes.set(key, element);
    if (view === undefined || view === null) return new StorageReference(key, element, count, 0);
    const [, offset, length] = view instanceof PickleTuple ? view.items : [];
    if (!isCount(offset) || !isCount(length))
      throw this.#corrupt('it refers to a malformed view of a storage');
    return new StorageReference(key, element, length, offset);
  }

  #byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  /** Advances by `count` bytes; returns where they start. */
  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new PickleCutShort(`at byte ${at}`);
    this.#at = at + count;
    return at;
  }

  #count4(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  #text(length: number): string {
    const at = this.#take(length);
    return utf8.decode(this.#bytes.subarray(at, at + length));
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    const limit = this.#at + 1000;
    if (end > limit || (end < 0 && this.#bytes.length > limit))
      throw this.#corrupt('a global has an endless name');
    if (end < 0) throw new PickleCutShort(`at byte ${this.#at}`);
    const line = utf8.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return line;
  }

  /** Little-endian two's complement. */
  #integer(length: number): number | bigint {
    if (length > integerBytesLimit) throw this.#corrupt(`it holds an integer of ${length} bytes`);
    const at = this.#take(length);
    let value = 0n;
    for (let index = length - 1; index >= 0; index--)
      value = (value << 8n) | BigInt(this.#bytes[at + index]!);
    value = BigInt.asIntN(Math.max(1, 8 * length), value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  #corrupt(what: string): Problem {
    return new Problem(
      'checkpoint/corrupt',
      `${this.#path}: its pickle is damaged near byte ${this.#at}: ${what}.`,
      'The file is damaged or not a checkpoint; download or export it again.',
    );
  }

  #forbidden(module: string, name: string): Problem {
    return new Problem(
      'checkpoint/forbidden-global',
      `${this.#path}: its pickle asks for ${JSON.stringify(`${module}.${name}`.slice(0, 200))}, which no tensor needs; refused.`,
      'Pickles can run programs, so only tensors are read. Use safetensors or a file that holds only a state_dict.',
    );
  }
}

const utf8 = new TextDecoder('utf-8');
