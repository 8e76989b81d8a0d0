import { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { EncodedPage } from "../../experiment/domain/storage-ports.js";

/** Tags of the fields `experiments` and `next_page_token`, of numbers 1 and 2, by length. */
const EXPERIMENTS = (1 << 3) | 2;
const NEXT_PAGE_TOKEN = (2 << 3) | 2;

/** The bytes of a `ListExperimentsResponse`. */
export function listBytes({ experiments, nextPageToken }: EncodedPage): Buffer {
  const writer = new BinaryWriter();
  for (const { bytes } of experiments) writer.uint32(EXPERIMENTS).bytes(bytes);
  if (nextPageToken !== "") writer.uint32(NEXT_PAGE_TOKEN).string(nextPageToken);
  const { buffer, byteOffset, length } = writer.finish();
  return Buffer.from(buffer, byteOffset, length);
}
