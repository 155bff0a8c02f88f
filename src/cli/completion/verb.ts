/** The hidden verb that the shells' scripts call: `e2eeftp __complete WORD… :CURRENT`. */
export const COMPLETE_VERB = '__complete';
