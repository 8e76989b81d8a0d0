/**
 * Shares of each true class by predicted class, averaged over learners.
 *
 * @param matrices C × C counts each, row after row; empty ones are left out
 */
export function meanConfusion(matrices: readonly (readonly number[])[]): number[][] {
  const counted = matrices.filter((matrix) => matrix.length > 0);
  const size = Math.sqrt(counted[0]?.length ?? 0);
  return Array.from({ length: size }, (_, row) => {
    const sums = Array.from({ length: size }, (_, column) =>
      counted.reduce((sum, matrix) => sum + (matrix[row * size + column] ?? 0), 0),
    );
    const total = sums.reduce((sum, count) => sum + count, 0);
    return sums.map((count) => (total === 0 ? 0 : count / total));
  });
}
