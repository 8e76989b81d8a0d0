export interface ColumnHeadsProps {
  /** Over columns of words. */
  readonly words: readonly string[];
  /** Over columns of numbers, which are aligned at their end and come after the words. */
  readonly numbers?: readonly string[];
  /** Whether a last column without a name holds buttons. */
  readonly hasTools?: boolean;
}

/** The head of a table: one name per column. */
export function ColumnHeads({ words, numbers = [], hasTools = false }: ColumnHeadsProps) {
  return (
    <thead>
      <tr>
        {words.map((name) => (
          <th key={name} scope="col">
            {name}
          </th>
        ))}
        {numbers.map((name) => (
          <th key={name} scope="col" class="end">
            {name}
          </th>
        ))}
        {hasTools ? <td /> : null}
      </tr>
    </thead>
  );
}
