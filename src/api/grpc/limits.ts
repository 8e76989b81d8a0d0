import type { ChannelOptions } from "@grpc/grpc-js";

/** An experiment with a thousand test learners takes 40 KB; chunks of artifacts take 1 MiB. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Of the server and of its clients. */
export const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  // A client of its own connects anew at once; a shared connection that failed would first wait.
  "grpc.use_local_subchannel_pool": 1,
};
