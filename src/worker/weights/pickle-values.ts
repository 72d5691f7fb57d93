import type { ElementType } from './elements.ts';

/** What a pickle may build: plain values, and the few objects that describe tensors. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleValue[]
  | PickleTuple
  | PickleDict
  | PickleInstance
  | PickleGlobal
  | StorageReference
  | TensorReference;

export class PickleTuple {
  readonly items: PickleValue[];
  constructor(items: PickleValue[]) {
    this.items = items;
  }
}

export class PickleDict {
  readonly entries = new Map<PickleValue, PickleValue>();
}

/** A TorchScript module: a bag of attributes. Its class is only a name. */
export class PickleInstance {
  readonly className: string;
  readonly attributes = new PickleDict();
  constructor(className: string) {
    this.className = className;
  }
}

/** One of the allowed names; never a thing that runs. */
export class PickleGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A run of elements that tensors share, by its key in the file. */
export class StorageReference {
  readonly key: string;
  readonly type: ElementType;
  /** Elements. */
  readonly count: number;
  /** Legacy files: first element within the storage `key`. */
  readonly offset: number;
  constructor(key: string, type: ElementType, count: number, offset: number) {
    this.key = key;
    this.type = type;
    this.count = count;
    this.offset = offset;
  }
}

export class TensorReference {
  readonly storage: StorageReference;
  /** Elements, as are the strides. */
  readonly offset: number;
  readonly shape: number[];
  readonly strides: number[];
  constructor(storage: StorageReference, offset: number, shape: number[], strides: number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}
