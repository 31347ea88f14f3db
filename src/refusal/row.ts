export interface Row<D> {
  readonly httpStatus: number;
  /** One sentence that says what to do about it. */
  readonly sentence: (detail: D) => string;
}
/** One refusal: its HTTP status, and its sentence. */
export const row = <D>(httpStatus: number, sentence: (detail: D) => string): Row<D> => ({
  httpStatus,
  sentence,
});
