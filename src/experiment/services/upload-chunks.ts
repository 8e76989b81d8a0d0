import { invalid } from "../../errors.js";

/** A message of an upload: first the header, then the bytes. */
interface UploadMessage<Header> {
  readonly part?: { $case: "header"; value: Header } | { $case: "chunk"; value: Uint8Array };
}

/** The header of an upload, and the bytes that follow it. */
export interface OpenedUpload<Header> {
  readonly header: Header;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Reads the header of an upload. @throws INVALID for a stream that does not begin with one */
export async function openUpload<Header>(
  parts: AsyncIterable<UploadMessage<Header>>,
): Promise<OpenedUpload<Header>> {
  const iterator = parts[Symbol.asyncIterator]();
  const first = await iterator.next();
  const part = first.done ? undefined : first.value.part;
  if (part?.$case !== "header") throw invalid("", "an upload must begin with its header");
  return { header: part.value, chunks: chunksOf(iterator) };
}

async function* chunksOf<Header>(
  iterator: AsyncIterator<UploadMessage<Header>>,
): AsyncGenerator<Uint8Array> {
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    const { part } = next.value;
    if (part?.$case !== "chunk")
      throw invalid("", "only chunks may follow the header of an upload");
    yield part.value;
  }
}
