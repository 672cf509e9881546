import {
  type Answer,
  decode,
  encode,
  type Question,
  RECURSION_AVAILABLE,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import { resourceRecord } from "./record-data.ts";
import { RECORD_TYPES, type RecordSet } from "./record-types.ts";
import { type DnsRecords, qualified } from "./records.ts";

const HEADER_BYTES = 12;

/** Bits of the header's flags (RFC 1035, 4.1.1). */
const RESPONSE = 0x8000;
const OPCODE = 0x7800;
const RECURSION_DESIRED = 0x0100;

/** The header's response codes. */
const NO_ERROR = 0;
const FORMAT_ERROR = 1;
const NAME_ERROR = 3;
const NOT_IMPLEMENTED = 4;

/**
 * Answers a query. Returns undefined for bytes that are not a query.
 *
 * @param limit maximum answer length in bytes: a longer answer is sent without records, marked as truncated
 */
export function answer(query: Buffer, records: DnsRecords, limit: number): Buffer | undefined {
  if (query.length < HEADER_BYTES || flagsOf(query) & RESPONSE) return undefined;
  const question = questionOf(query);
  if (!question) return reply(query, FORMAT_ERROR);
  if (flagsOf(query) & OPCODE) return reply(query, NOT_IMPLEMENTED, { question });
  const name = qualified(question.name);
  const type = RECORD_TYPES.find((each) => each === question.type);
  const { answers, exists } = type
    ? records.resolve(name, type)
    : { answers: [], exists: records.resolve(name, "SOA").exists };
  const last = answers.at(-1);
  const isNegative = type === undefined || last?.type !== type;
  const full = reply(query, exists ? NO_ERROR : NAME_ERROR, {
    question,
    answers,
    authorities: isNegative ? nearestSoa(records, last?.values[0] ?? name) : [],
  });
  return full.length <= limit ? full : reply(query, NO_ERROR, { question, flags: TRUNCATED_RESPONSE });
}

/** Decodes the only question of a query; undefined if the query is malformed. */
function questionOf(query: Buffer): Question | undefined {
  try {
    const { questions = [] } = decode(query);
    const [question] = questions;
    if (!question || questions.length > 1 || !/^[!-~]+$/.test(question.name)) return undefined;
    // dns-packet also decodes labels with dots and compressed names. Their encoding differs.
    const encoded = encode({ questions }).subarray(HEADER_BYTES);
    return encoded.equals(query.subarray(HEADER_BYTES, HEADER_BYTES + encoded.length)) ? question : undefined;
  } catch {
    // dns-packet throws plain Errors and RangeErrors; each means that the query is malformed.
    return undefined;
  }
}

interface Content {
  question?: Question;
  flags?: number;
  answers?: RecordSet[];
  authorities?: RecordSet[];
}

function reply(query: Buffer, code: number, content: Content = {}): Buffer {
  const { question, flags = 0, answers = [], authorities = [] } = content;
  const echoed = flagsOf(query) & (OPCODE | RECURSION_DESIRED);
  return encode({
    type: "response",
    id: query.readUInt16BE(0),
    flags: echoed | RECURSION_AVAILABLE | flags | code,
    questions: question ? [question] : [],
    answers: answers.flatMap(resourceRecords),
    authorities: authorities.flatMap(resourceRecords),
  });
}

function flagsOf(query: Buffer): number {
  return query.readUInt16BE(2);
}

function resourceRecords(set: RecordSet): Answer[] {
  return set.values.map((value) => resourceRecord(set, value));
}

/** Finds the SOA record of the nearest zone, which a negative answer includes (RFC 2308). */
function nearestSoa(records: DnsRecords, name: string): RecordSet[] {
  const labels = name.split(".");
  for (let index = 0; index < labels.length; index++) {
    const found = records.records(labels.slice(index).join("."), "SOA");
    if (found) return [found];
  }
  return [];
}
