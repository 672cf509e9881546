/** One field of a protobuf message: a number, or bytes, which may be a text or another message. */
export interface Field {
  number: number;
  value: bigint | Buffer;
}

/**
 * Yields the fields of a protobuf message in their order (protobuf.dev/programming-guides/encoding). Fields of fixed
 * length are left out: no answer that this action reads has them.
 *
 * @throws RangeError when the bytes are no message
 */
export function* fieldsOf(message: Buffer): Generator<Field, void, void> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at);
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const skip = (length: number): Buffer => {
    if (length > message.length - at) throw new RangeError("the message ends within a field");
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const key = Number(varint());
    const number = Math.floor(key / 8);
    const type = key % 8;
    if (type === 0) yield { number, value: varint() };
    else if (type === 2) yield { number, value: skip(Number(varint())) };
    else if (type === 1) skip(8);
    else if (type === 5) skip(4);
    else throw new RangeError(`no field has the type ${type}`);
  }
}

/** Returns the texts of a field, in their order. */
export function textsOf(fields: readonly Field[], number: number): string[] {
  return fields.flatMap((field) =>
    field.number === number && Buffer.isBuffer(field.value) ? [field.value.toString()] : [],
  );
}
