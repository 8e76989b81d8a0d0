import { readFileSync } from "node:fs";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** Package of the protos, in front of the name of each type. */
export const PACKAGE = "stillhouse.v1";

/** A FileDescriptorSet of our protos and of what they import. */
const DESCRIPTORS = new URL("../generated/descriptors.binpb", import.meta.url);

let registry: FileRegistry | undefined;

/** The bytes of the FileDescriptorSet, for server reflection. */
export function descriptorBytes(): Buffer {
  return readFileSync(DESCRIPTORS);
}

/** The messages, enums and services of the protos. Read once, when they are first asked for. */
export function protoRegistry(): FileRegistry {
  registry ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorBytes()));
  return registry;
}
