/**
 * Confusion matrices, whose rows are true classes and whose columns are predicted ones, row after
 * row in one list, as the protos have them.
 */
export type FlatMatrix = readonly number[];

/** The sum of matrices of one size; undefined where one of them is missing or has another size. */
export function sumOfMatrices(matrices: readonly FlatMatrix[]): number[] | undefined {
  const [first = []] = matrices;
  if (first.length === 0 || matrices.some(({ length }) => length !== first.length))
    return undefined;
  return first.map((_, at) => matrices.reduce((sum, matrix) => sum + (matrix[at] ?? 0), 0));
}

/** The rows of a matrix; null for an empty one. */
export function rowsOfMatrix(matrix: FlatMatrix): number[][] | null {
  const size = Math.sqrt(matrix.length);
  if (size === 0) return null;
  return Array.from({ length: size }, (_, row) => matrix.slice(row * size, (row + 1) * size));
}

/** Shares of each true class by predicted class; none for an empty matrix. */
export function sharesOfMatrix(matrix: FlatMatrix): number[][] {
  return (rowsOfMatrix(matrix) ?? []).map((counts) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return counts.map((count) => (total === 0 ? 0 : count / total));
  });
}
