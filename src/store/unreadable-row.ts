import { FailureKind, StillhouseError } from "../errors.js";
import { bytesOf } from "./sql-database.js";

/** A row whose bytes are not a valid message: only calls that need it fail. */
export class UnreadableRow extends StillhouseError {
  /** @param owner id of the experiment that the row belongs to */
  constructor(table: string, id: string, owner: string, reason: string) {
    const remedy = `npm run stillhouse -- rm ${owner} removes the experiment`;
    super(
      FailureKind.ENVIRONMENT,
      `the row ${id} of the table ${table} in the database cannot be read (${reason}); ${remedy}`,
    );
  }
}

interface MessageType<Message> {
  decode(bytes: Uint8Array): Message;
}

/**
 * The message of a row.
 *
 * @param isIt whether the message belongs to this row, since damaged bytes may still parse
 * @returns the message, or the reason as a clause where it cannot be read
 */
export function readMessage<Message extends object>(
  type: MessageType<Message>,
  bytes: ArrayBuffer | Uint8Array,
  isIt: (message: Message) => boolean = () => true,
): Message | string {
  try {
    const message = type.decode(bytesOf(bytes));
    return isIt(message) ? message : "it holds something else";
  } catch (error) {
    return (error as Error).message;
  }
}
