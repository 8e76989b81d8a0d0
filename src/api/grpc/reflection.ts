import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { Server } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { protoPath as healthProto } from "grpc-health-check";
import { descriptorBytes } from "../../messages/descriptors.js";

/** Server reflection, so that clients without our protos find the available methods. */
export function addReflection(server: Server): void {
  const definitions = { ...loadSync(healthProto), ...definitionOf(descriptorBytes()) };
  new ReflectionService(definitions).addToServer(server);
}

/**
 * The loader merges files and loses their imports, without which Python accepts none of them. The
 * service only reads the files of a definition, so they are passed on unchanged.
 */
function definitionOf(fileDescriptorSet: Uint8Array): PackageDefinition {
  const files: Buffer[] = [];
  const reader = new BinaryReader(fileDescriptorSet);
  while (reader.pos < reader.len) {
    reader.tag();
    files.push(Buffer.from(reader.bytes()));
  }
  const definition = { format: "Protocol Buffer 3 DescriptorProto", type: {} };
  const ours = { ...definition, fileDescriptorProtos: files };
  return { stillhouse: ours } as unknown as PackageDefinition;
}
