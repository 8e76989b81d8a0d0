/** The part of a RobustnessSpec that says what is evaluated, in either form of the message. */
export interface Tried {
  readonly artifactId?: string | undefined;
  /** RobustnessCheck, by name. */
  readonly checks?: readonly string[] | undefined;
  readonly steps?: readonly number[] | undefined;
  readonly transferTo?: readonly { readonly name?: string | undefined }[] | undefined;
}

/** From this many checks on, their number is given instead of their names. */
const MANY = 4;

/** Which distilled data is evaluated and how; distinguishes two experiments on the same data. */
export function robustnessSubject(data: string, tried: Tried): string {
  const { artifactId = "", checks = [], steps = [], transferTo = [] } = tried;
  const words = checks.map((check) =>
    check.replace("ROBUSTNESS_CHECK_", "").toLowerCase().replaceAll("_", " "),
  );
  const named = words.filter((word) => word !== "steps" || steps.length === 0);
  const ways = [
    ...(named.length > MANY ? [`${named.length} checks`] : named),
    ...(steps.length > 0 ? [`${steps.join(", ")} steps`] : []),
    ...transferTo.map(
      ({ name = "" }) => `transfer to ${name.split("/").findLast(Boolean) ?? name}`,
    ),
  ];
  const how = ways.length === 0 ? "" : `: ${ways.join(", ")}`;
  return `robustness of ${artifactId} (${data})${how}`;
}
