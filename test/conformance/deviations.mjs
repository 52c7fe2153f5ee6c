// What a runtime cannot do, by the name of the case, with the reason.
export const deviations = {
  bun: {},
  deno: {},
}
