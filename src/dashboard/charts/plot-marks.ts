// The part of Observable Plot that figures use. It is loaded when the first figure comes near.
export {
  barX,
  cell,
  dodgeY,
  dot,
  line,
  link,
  plot,
  ruleX,
  text,
} from "@observablehq/plot";
