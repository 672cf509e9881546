import { domainName, rdata } from "./rdata.ts";
import { type DnsRecords, qualified, RECORD_TYPES, type RecordSet, type RecordType } from "./records.ts";

/*
 * DNS messages (RFC 1035, 4), as far as one question and its answer need them. Names in answers are not compressed.
 */

const TYPE_CODES: Record<RecordType, number> = { A: 1, NS: 2, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, CAA: 257 };
const CLASS_IN = 1;
const HEADER_BYTES = 12;
const NAME_BYTES = 255;
/** Labels may be of any bytes; those of host names and of what is asked about them are of these. */
const LABEL = /^[!-\-/-~]+$/;

/** Bits of the header's flags. */
const FLAGS = { response: 0x8000, truncated: 0x0200, recursionDesired: 0x0100, recursionAvailable: 0x0080 };
const OPCODE = 0x7800;

/** Values of the header's response code. */
const NO_ERROR = 0;
const FORMAT_ERROR = 1;
const NAME_ERROR = 3;
const NOT_IMPLEMENTED = 4;

/**
 * Returns the answer to a query, or undefined for what can't be answered at all.
 *
 * @param limit the longest answer in bytes: what is longer comes without records, marked as truncated
 */
export function answer(query: Buffer, records: DnsRecords, limit: number): Buffer | undefined {
  if (query.length < HEADER_BYTES || query.readUInt16BE(2) & FLAGS.response) return undefined;
  const question = questionOf(query);
  if (!question) return message(query, { code: FORMAT_ERROR });
  if (query.readUInt16BE(2) & OPCODE) return message(query, { code: NOT_IMPLEMENTED, question });
  const { name, type } = question;
  const { answers, exists } = type
    ? records.resolve(name, type)
    : { answers: [], exists: owns(records, name) };
  const last = answers.at(-1);
  const missing =
    type !== undefined && last?.type === type ? [] : authority(records, lastName(name, answers));
  const full = message(query, {
    code: exists ? NO_ERROR : NAME_ERROR,
    question,
    answers,
    authority: missing,
  });
  return full.length <= limit ? full : message(query, { code: NO_ERROR, question, truncated: true });
}

interface Question {
  name: string;
  /** Absent for a type that nobody here has records of. */
  type: RecordType | undefined;
  /** As it was asked. */
  bytes: Buffer;
}

interface Content {
  code: number;
  question?: Question;
  answers?: RecordSet[];
  authority?: RecordSet[];
  truncated?: boolean;
}

function questionOf(query: Buffer): Question | undefined {
  if (query.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at]; length !== 0; length = query[at]) {
    // A compressed name can't be in the first question.
    if (length === undefined || length > 63) return undefined;
    const label = query.toString("latin1", at + 1, at + 1 + length);
    if (!LABEL.test(label)) return undefined;
    labels.push(label);
    at += 1 + length;
  }
  if (at + 5 > query.length || at >= HEADER_BYTES + NAME_BYTES) return undefined;
  const code = query.readUInt16BE(at + 1);
  const type = RECORD_TYPES.find((each) => TYPE_CODES[each] === code);
  return { name: qualified(labels.join(".")), type, bytes: query.subarray(HEADER_BYTES, at + 5) };
}

function message(query: Buffer, content: Content): Buffer {
  const { code, question, answers = [], authority = [], truncated = false } = content;
  const sections = [answers, authority].map((sets) => sets.flatMap(resourceRecords));
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  const asked = query.readUInt16BE(2) & (OPCODE | FLAGS.recursionDesired);
  const flags = FLAGS.response | FLAGS.recursionAvailable | (truncated ? FLAGS.truncated : 0);
  header.writeUInt16BE(asked | flags | code, 2);
  header.writeUInt16BE(question ? 1 : 0, 4);
  sections.forEach((records, index) => {
    header.writeUInt16BE(records.length, 6 + 2 * index);
  });
  return Buffer.concat([header, ...(question ? [question.bytes] : []), ...sections.flat()]);
}

function resourceRecords({ name, type, ttl, values }: RecordSet): Buffer[] {
  return values.map((value) => {
    const data = rdata(type, value);
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(TYPE_CODES[type], 0);
    fixed.writeUInt16BE(CLASS_IN, 2);
    fixed.writeUInt32BE(ttl, 4);
    fixed.writeUInt16BE(data.length, 8);
    return Buffer.concat([domainName(name), fixed, data]);
  });
}

/** Whether a name exists, whatever its records. */
function owns(records: DnsRecords, name: string): boolean {
  return records.resolve(name, "SOA").exists;
}

/** Returns the name at the end of the aliases. */
function lastName(name: string, answers: RecordSet[]): string {
  const [target] = answers.at(-1)?.values ?? [];
  return target ?? name;
}

/** Returns the SOA record that a negative answer comes with (RFC 2308): that of the nearest zone, if it has one. */
function authority(records: DnsRecords, name: string): RecordSet[] {
  const labels = name.split(".");
  for (let index = 0; index < labels.length; index++) {
    const found = records.records(labels.slice(index).join("."), "SOA");
    if (found) return [found];
  }
  return [];
}
