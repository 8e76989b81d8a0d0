import type { ChannelOptions } from "@grpc/grpc-js";

/** An experiment with a thousand test learners takes 40 KB; chunks of artifacts take 1 MiB. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** A connection that is silent for this long is pinged. */
const KEEPALIVE_MS = 30_000;
/** How long the answer may take: a process that is delayed for a moment is not lost. */
const KEEPALIVE_TIMEOUT_MS = 20_000;

const BOTH_ENDS: ChannelOptions = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc.keepalive_time_ms": KEEPALIVE_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
};

/** Calls of one connection at a time; what is more waits at the client. */
const MAX_CONCURRENT_STREAMS = 1_000;

export const SERVER_OPTIONS: ChannelOptions = {
  ...BOTH_ENDS,
  "grpc.max_concurrent_streams": MAX_CONCURRENT_STREAMS,
};

/** Of clients. */
export const CHANNEL_OPTIONS: ChannelOptions = {
  ...BOTH_ENDS,
  // A proxy that http_proxy names leads to the web, where no control plane is.
  "grpc.enable_http_proxy": 0,
  // A client with its own connection reconnects at once; a shared one that failed would wait first.
  "grpc.use_local_subchannel_pool": 1,
};
